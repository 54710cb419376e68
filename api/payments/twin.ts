/**
 * SePay tells of a transfer by webhook and, under another id, in its list. Whether two tellings are of one transfer is
 * decided here; in doubt an operator decides, because money applied twice is worse than money that waits.
 */
import { TWIN_CANDIDATES_MAX, type TwinCandidate } from '../../sql/payments.ts';
import { findCodes } from './match.ts';
import type { BankTransaction } from './sepay-event.ts';

export type Twin =
  { twin: number; doubtful?: never; mayRepeat?: never } | { twin?: never; doubtful: boolean; mayRepeat?: number };

const letters = (text: string): string => text.toUpperCase().replaceAll(/[^A-Z0-9]/g, '');

/** Whether two texts are of one transfer: by the order codes in them, and by themselves where there are none. */
function comparisonOf(one: string, other: string): 'same' | 'unlike' | 'unclear' {
  const [a, b] = [letters(one), letters(other)];
  if (a === b) return 'same';
  const [codes, others] = [one, other].map((content) => findCodes({ content, code: '' }).toSorted().join(' '));
  if (codes !== '' && others !== '') return codes === others ? 'same' : 'unlike';
  // One of the two may be cut.
  return codes === others && a !== '' && b !== '' && (a.startsWith(b) || b.startsWith(a)) ? 'same' : 'unclear';
}

/**
 * `candidates`: payments the other source told of, of the same account, direction and amount, minutes apart at most; of
 * more than there is room for, those of the same moment and number come first, and that there may be others is a doubt.
 * Banks use numbers again: what names other orders is another transfer, and where the texts leave it open there is doubt.
 */
export function twinOf(
  transaction: Pick<BankTransaction, 'reference' | 'content' | 'transferredAt'>,
  candidates: readonly TwinCandidate[],
): Twin {
  const { reference, content, transferredAt } = transaction;
  const compared = candidates
    .map((one) => ({
      ...one,
      isOfThen: one.transferred_at.getTime() === transferredAt.getTime(),
      text: comparisonOf(one.content, content),
    }))
    .filter(({ text }) => text !== 'unlike');
  const same = compared.filter((one) => one.isOfThen && one.reference === reference && one.text === 'same');
  // Of several equal transfers the one with the very text; if all have it, either will do.
  const twin = same.find((one) => letters(one.content) === letters(content)) ?? same[0];
  if (twin) return { twin: twin.event_id };
  const like = compared.find((one) =>
    one.reference === '' || reference === '' ? one.isOfThen || one.text === 'same' : one.reference === reference,
  );
  if (like) return { doubtful: true, mayRepeat: like.event_id };
  return { doubtful: candidates.length >= TWIN_CANDIDATES_MAX };
}
