import { rounded } from './statistics.ts';
import type { World } from './world.ts';

const JOB_LIMIT_MS = 60_000;

/**
 * Of one job, in milliseconds. "Paid" is when the webhook's answer was here; "sent" when it was sent; "begun" when the
 * attempt's row was written; "running" when the job's first line after its envelope had been read, as Postgres has it.
 */
export type Dispatched = {
  paidToRunningMs: number;
  sentToRunningMs: number;
  paidToBegunMs: number;
  begunToRunningMs: number;
};

/** Orders, pays and waits for the delivery. Throws when it took more than one attempt. */
export async function dispatch(world: World, courseId: string, email: string): Promise<Dispatched> {
  const order = await world.customer.order(courseId, email);
  const { sentAt, answeredAt } = await world.bank.pay(order);
  await world.customer.waitFor(order, ['completed'], JOB_LIMIT_MS);
  const { rows } = await world.pool.query<{ begun: number; running: number }>(
    `SELECT extract(epoch FROM a.created_at)::float8 * 1000 AS begun,
            extract(epoch FROM a.running_at)::float8 * 1000 AS running
     FROM attempts a JOIN jobs j ON j.id = a.job_id JOIN orders o ON o.id = j.order_id WHERE o.code = $1::text`,
    [order.code],
  );
  const [attempt] = rows;
  if (rows.length !== 1 || !attempt) throw new Error(`order ${order.code} took ${rows.length} attempts`);
  return {
    paidToRunningMs: rounded(attempt.running - answeredAt),
    sentToRunningMs: rounded(attempt.running - sentAt),
    paidToBegunMs: rounded(attempt.begun - answeredAt),
    begunToRunningMs: rounded(attempt.running - attempt.begun),
  };
}
