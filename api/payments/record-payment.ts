import {
  findPaymentOf,
  insertPayment,
  insertPaymentEvent,
  insertTwin,
  lockOrdersByCode,
  twinCandidates,
  type AuthMode,
  type UnplacedReason,
} from '../../sql/payments.ts';
import { inTransaction, type Database, type Pool } from '../../sql/pool.ts';
import { findCodes, matchPayment, type Match } from './match.ts';
import { startJob } from './start-job.ts';
import type { BankTransaction } from './sepay-event.ts';
import { twinOf } from './twin.ts';

export type Recorded =
  | { placement: 'repeat' | 'id_reused' | 'told_before' | UnplacedReason }
  | { placement: 'applied'; order: string }
  | { placement: 'paid'; order: string; job: string };

const placed = (match: Match) =>
  match.order
    ? { orderId: match.order.id }
    : {
        unplacedReason: match.reason,
        ...(match.proposedOrderId !== undefined && { proposedOrderId: match.proposedOrderId }),
      };

/** A repeat says what was said before; other money under a known id is not one. */
async function repeatOf(db: Database, transaction: BankTransaction): Promise<Recorded> {
  const { source, externalId, direction, amountVnd, accountNumber } = transaction;
  const before = await findPaymentOf(db, source, externalId);
  const isSame =
    before?.direction === direction && before.amount_vnd === amountVnd && before.account_number === accountNumber;
  return { placement: isSame ? 'repeat' : 'id_reused' };
}

/** Doubt is for money that would be placed: it waits, with the order it would have gone to as proposal. */
const doubted = (match: Match): Match =>
  match.order ? { reason: 'possible_repeat', proposedOrderId: match.order.id } : match;

/**
 * Stores the transaction and all that follows from it, or nothing: the event, the payment and, once the order is paid
 * in full, its job with the first task. A repeat of a known event changes nothing (`id_reused`: it was not the same;
 * nothing is stored either), and the second telling of a known transfer only its event.
 */
export const recordPayment = (
  pool: Pool,
  transaction: BankTransaction,
  context: { authMode: AuthMode; ownAccountNumber: string },
): Promise<Recorded> =>
  inTransaction(pool, async (db) => {
    const { source, externalId, body } = transaction;
    const eventId = await insertPaymentEvent(db, { source, externalId, body, authMode: context.authMode });
    if (eventId === undefined) return repeatOf(db, transaction);
    const { twin, doubtful } = twinOf(transaction, await twinCandidates(db, source, transaction));
    if (twin !== undefined) {
      await insertTwin(db, eventId, twin);
      return { placement: 'told_before' };
    }
    const codes = findCodes(transaction);
    const candidates = codes.length === 0 ? [] : await lockOrdersByCode(db, codes);
    const matched = matchPayment(transaction, candidates, context.ownAccountNumber);
    const match = doubtful ? doubted(matched) : matched;
    const { direction, amountVnd, accountNumber, reference, content, transferredAt } = transaction;
    await insertPayment(db, {
      eventId,
      source,
      direction,
      amountVnd,
      accountNumber,
      reference,
      content,
      transferredAt,
      ...placed(match),
    });
    if (!match.order) return { placement: match.reason };
    if (!match.paidInFull) return { placement: 'applied', order: match.order.code };
    return { placement: 'paid', order: match.order.code, job: await startJob(db, match.order) };
  });
