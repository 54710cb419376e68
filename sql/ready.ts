import { setTimeout as after } from 'node:timers/promises';
import type { Database } from './pool.ts';

/** Whether a query is answered within `limitMs`, the wait for a connection included. */
export async function answersWithin(db: Database, limitMs: number): Promise<boolean> {
  const giveUp = new AbortController();
  const answered = db.query('SELECT 1').then(
    () => true,
    () => false,
  );
  const late = after(limitMs, false, { signal: giveUp.signal }).catch(() => false);
  return Promise.race([answered, late]).finally(() => giveUp.abort());
}
