import { maybeOne, type Database } from './pool.ts';

/** How long after its expiry an order is still looked after: the bank may tell late of a payment made in time. */
const LOOKED_AFTER_MINUTES = 15;

/** Whether money for some order may still come. */
export async function ordersAwaitPayment(db: Database, periodSeconds: number): Promise<boolean> {
  const row = await maybeOne<{ await: boolean }>(
    db,
    `SELECT EXISTS (
       SELECT FROM orders o
       WHERE o.cancelled_at IS NULL
         AND o.expires_at > now() - make_interval(mins => ${LOOKED_AFTER_MINUTES}, secs => $1::int)
         AND NOT EXISTS (SELECT FROM jobs j WHERE j.order_id = o.id)) AS await`,
    [periodSeconds],
  );
  return row?.await ?? false;
}

const OVERLAP_HOURS = 3;
const REACHES_BACK_DAYS = 7;

/**
 * Takes the next reading of the list, so that of several processes one reads in each period. Answers from when on it is
 * to be read, in Vietnam's time; undefined when it is not due.
 */
export async function claimReading(db: Database, periodSeconds: number): Promise<string | undefined> {
  const row = await maybeOne<{ from: string }>(
    db,
    `UPDATE reconciliation SET next_at = now() + make_interval(secs => $1::int)
     WHERE next_at <= now()
     RETURNING to_char(greatest(coalesce(complete_at, now() - interval '1 day') - interval '${OVERLAP_HOURS} h',
                                now() - interval '${REACHES_BACK_DAYS} d') AT TIME ZONE 'Asia/Ho_Chi_Minh',
                       'YYYY-MM-DD HH24:MI:SS') AS from`,
    [periodSeconds],
  );
  return row?.from;
}

/** The list was read whole, from where claimReading said. */
export async function completeReading(db: Database): Promise<void> {
  await db.query('UPDATE reconciliation SET complete_at = now()');
}
