import { insertJob } from '../../sql/jobs.ts';
import {
  insertPayment,
  insertPaymentEvent,
  lockOrdersByCode,
  type AuthMode,
  type UnplacedReason,
} from '../../sql/payments.ts';
import { inTransaction, type Pool } from '../../sql/pool.ts';
import { enqueueTask } from '../../sql/tasks.ts';
import { findCodes, matchPayment, type Match } from './match.ts';
import type { BankTransaction } from './sepay-event.ts';

export type Recorded =
  | { placement: 'repeat' | UnplacedReason }
  | { placement: 'applied'; order: string }
  | { placement: 'paid'; order: string; job: string };

const placed = (match: Match) =>
  match.order
    ? { orderId: match.order.id }
    : {
        unplacedReason: match.reason,
        ...(match.proposedOrderId !== undefined && { proposedOrderId: match.proposedOrderId }),
      };

/**
 * Stores the transaction and all that follows from it, or nothing: the event, the payment and, once the order is paid
 * in full, its job with the first task. A repeat of a known event changes nothing.
 */
export const recordPayment = (
  pool: Pool,
  transaction: BankTransaction,
  context: { authMode: AuthMode; ownAccountNumber: string },
): Promise<Recorded> =>
  inTransaction(pool, async (db) => {
    const { externalId, body } = transaction;
    const eventId = await insertPaymentEvent(db, { externalId, body, authMode: context.authMode });
    if (eventId === undefined) return { placement: 'repeat' };
    const codes = findCodes(transaction);
    const candidates = codes.length === 0 ? [] : await lockOrdersByCode(db, codes);
    const match = matchPayment(transaction, candidates, context.ownAccountNumber);
    const { direction, amountVnd, accountNumber, content, transferredAt } = transaction;
    await insertPayment(db, {
      eventId,
      direction,
      amountVnd,
      accountNumber,
      content,
      transferredAt,
      ...placed(match),
    });
    if (!match.order) return { placement: match.reason };
    if (!match.paidInFull) return { placement: 'applied', order: match.order.code };
    const job = await insertJob(db, { id: match.order.id, courseId: match.order.course_id });
    if (job === undefined) throw new Error(`order ${match.order.code} got a job while it was locked`);
    await enqueueTask(db, 'enrol', job.id);
    return { placement: 'paid', order: match.order.code, job: job.id };
  });
