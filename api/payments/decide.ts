import { decidePayment, dismissEvent, type Decision, type Said } from '../../sql/inbox.ts';
import { lockOrdersByCode } from '../../sql/payments.ts';
import { inTransaction, type Database, type Pool } from '../../sql/pool.ts';
import { startJob } from './start-job.ts';

export type Action =
  { action: 'assign'; orderCode: string } | { action: 'refund-recorded' | 'ignore'; orderCode?: never };

export type Decided =
  { result: Exclude<Decision, 'decided'> | 'order_unknown' | 'not_for_events' } | { result: 'decided'; job?: string };

/** Called in the transaction of the decision, with the job that began. */
export type OnDecided = (db: Database, job?: string) => Promise<void>;

async function assign(db: Database, eventId: number, orderCode: string, said: Said): Promise<Decided> {
  // The order's lock first, as when money comes in.
  const [order] = await lockOrdersByCode(db, [orderCode]);
  if (order === undefined) return { result: 'order_unknown' };
  const result = await decidePayment(db, eventId, { action: 'assigned', orderId: order.id }, said);
  if (result !== 'decided') return { result };
  const [paid] = await lockOrdersByCode(db, [orderCode]);
  if (paid === undefined || paid.has_job || paid.paid_vnd < paid.amount_vnd) return { result };
  return { result, job: await startJob(db, paid) };
}

async function decideOne(
  db: Database,
  kind: string | undefined,
  id: number,
  action: Action,
  said: Said,
): Promise<Decided> {
  if (kind === 'event')
    return action.action === 'ignore' ? { result: await dismissEvent(db, id, said) } : { result: 'not_for_events' };
  if (action.action === 'assign') return assign(db, id, action.orderCode, said);
  const name = action.action === 'ignore' ? 'ignored' : 'refund_recorded';
  return { result: await decidePayment(db, id, { action: name }, said) };
}

/**
 * What an operator decides about one thing in the inbox, once. Money may be assigned to any order, also an expired or
 * cancelled one: he knows what the customer wants. When it is then paid in full its job begins.
 */
export const decide = (
  pool: Pool,
  itemId: string,
  action: Action,
  said: Said,
  onDecided: OnDecided = () => Promise.resolve(),
): Promise<Decided> =>
  inTransaction(pool, async (db) => {
    const [, kind, digits] = /^(payment|event):(\d{1,15})$/.exec(itemId) ?? [];
    if (digits === undefined) return { result: 'unknown' };
    const decided = await decideOne(db, kind, Number(digits), action, said);
    if (decided.result === 'decided') await onDecided(db, decided.job);
    return decided;
  });
