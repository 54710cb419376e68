/**
 * SePay tells of a transfer by webhook and, under another id, in its list. Whether two tellings are of one transfer is
 * decided here; in doubt an operator decides, because money applied twice is worse than money that waits.
 */
import { TWIN_CANDIDATES_MAX, type TwinCandidate } from '../../sql/payments.ts';
import type { BankTransaction } from './sepay-event.ts';

export type Twin = { twin: number; doubtful?: never } | { twin?: never; doubtful: boolean };

const letters = (text: string): string => text.toUpperCase().replaceAll(/[^A-Z0-9]/g, '');

/**
 * `candidates`: payments the other source told of, of the same account, direction and amount, minutes apart at most; of
 * more than there is room for, those of the same moment and number come first, and that there may be others is a doubt.
 */
export function twinOf(
  transaction: Pick<BankTransaction, 'reference' | 'content' | 'transferredAt'>,
  candidates: readonly TwinCandidate[],
): Twin {
  const { reference, content, transferredAt } = transaction;
  const sameTime = ({ transferred_at: at }: TwinCandidate): boolean => at.getTime() === transferredAt.getTime();
  const sameText = (one: TwinCandidate): boolean => letters(one.content) === letters(content);
  const isSame = (one: TwinCandidate): boolean =>
    sameTime(one) && one.reference === reference && (reference !== '' || sameText(one));
  const same = candidates.filter(isSame);
  // Of several equal transfers the one with the same text; if all have it, either will do.
  const twin = same.find(sameText) ?? same[0];
  if (twin) return { twin: twin.event_id };
  const isLike = (one: TwinCandidate): boolean =>
    one.reference === '' || reference === '' ? sameTime(one) || sameText(one) : one.reference === reference;
  return { doubtful: candidates.length >= TWIN_CANDIDATES_MAX || candidates.some(isLike) };
}
