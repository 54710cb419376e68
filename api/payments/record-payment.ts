import {
  findPaymentOf,
  insertPayment,
  insertPaymentEvent,
  insertTwin,
  lockOrdersByCode,
  twinCandidates,
  type AuthMode,
  type PayableOrder,
  type TwinCandidate,
  type UnplacedReason,
} from '../../sql/payments.ts';
import { atOnce, inTransaction, type Database, type Pool } from '../../sql/pool.ts';
import { SQLSTATE, sqlStateOf } from '../../sql/sqlstate.ts';
import { findCodes, matchPayment, type Match } from './match.ts';
import { startJob } from './start-job.ts';
import type { BankTransaction } from './sepay-event.ts';
import { twinOf } from './twin.ts';

export type Recorded =
  | { placement: 'repeat' | 'id_reused' | 'told_before' | UnplacedReason }
  | { placement: 'applied'; order: string }
  | { placement: 'paid'; order: string; job: string };

type Context = { authMode: AuthMode; ownAccountNumber: string };
const RECORD_TRIES_MAX = 10;

const placed = (match: Match, mayRepeat: number | undefined) =>
  match.order
    ? { orderId: match.order.id }
    : {
        unplacedReason: match.reason,
        ...(match.proposedOrderId !== undefined && { proposedOrderId: match.proposedOrderId }),
        ...(mayRepeat !== undefined && { mayRepeat }),
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
export async function recordPayment(pool: Pool, transaction: BankTransaction, context: Context): Promise<Recorded> {
  for (let n = 1; ; n += 1)
    try {
      return await recordOnce(pool, transaction, context);
    } catch (error) {
      // Of equal transfers told at once two may have chosen the same twin: the later one looks again.
      if (n >= RECORD_TRIES_MAX || sqlStateOf(error) !== SQLSTATE.uniqueViolation) throw error;
    }
}

const recordOnce = (pool: Pool, transaction: BankTransaction, context: Context): Promise<Recorded> =>
  inTransaction(pool, async (db) => {
    const { source, externalId, body } = transaction;
    const codes = findCodes(transaction);
    // Whether it is known, told before, or whose it is: asked together, and answered in this order.
    const [eventId, candidateTwins, candidates] = await atOnce<[number | undefined, TwinCandidate[], PayableOrder[]]>(
      db,
      () => insertPaymentEvent(db, { source, externalId, body, authMode: context.authMode }),
      () => twinCandidates(db, source, transaction),
      () => (codes.length === 0 ? Promise.resolve([]) : lockOrdersByCode(db, codes)),
    );
    if (eventId === undefined) return repeatOf(db, transaction);
    const { twin, doubtful, mayRepeat } = twinOf(transaction, candidateTwins);
    if (twin !== undefined) {
      await insertTwin(db, eventId, twin);
      return { placement: 'told_before' };
    }
    const matched = matchPayment(transaction, candidates, context.ownAccountNumber);
    const match = doubtful ? doubted(matched) : matched;
    const { direction, amountVnd, accountNumber, reference, content, transferredAt } = transaction;
    const payment = {
      eventId,
      source,
      direction,
      amountVnd,
      accountNumber,
      reference,
      content,
      transferredAt,
      ...placed(match, mayRepeat),
    };
    const pay = () => insertPayment(db, payment);
    const { order } = match;
    if (!order || !match.paidInFull) {
      await pay();
      return order ? { placement: 'applied', order: order.code } : { placement: match.reason };
    }
    const [, job] = await atOnce<[void, string]>(db, pay, () => startJob(db, order));
    return { placement: 'paid', order: order.code, job };
  });
