/**
 * What an operator's key does. Each is one function of the database, which asks whose key it is, acts, and writes the
 * change with its before and after, all or nothing; the API's role has no other way to do it.
 */
import type { CourseRow, RightsRecord } from './courses.ts';
import { maybeOne, type Database } from './pool.ts';

/** Whose key, and in which request. */
export type Act = { keyId: string; requestId: string };

export type Cancelled = 'dead' | 'stopping' | 'too_late' | 'unknown';
export type Redriven = 'redriven' | 'not_dead' | 'still_running' | 'not_paid' | 'unknown';

async function resultOf<T>(db: Database, text: string, { keyId, requestId }: Act, ...args: unknown[]): Promise<T> {
  const row = await maybeOne<{ result: T }>(db, text, [keyId, requestId, ...args]);
  if (row === undefined) throw new Error('a function answered no row');
  return row.result;
}

export const operatorCancels = (db: Database, act: Act, jobId: string, because: string): Promise<Cancelled> =>
  resultOf(db, 'SELECT operator_cancels($1::uuid, $2::uuid, $3::uuid, $4::text) AS result', act, jobId, because);

/** Also queues its first task. */
export const operatorRedrives = (db: Database, act: Act, jobId: string, because: string): Promise<Redriven> =>
  resultOf(db, 'SELECT operator_redrives($1::uuid, $2::uuid, $3::uuid, $4::text) AS result', act, jobId, because);

/** A job that has a place in the queue, or may come back to one, gets the place of this priority. */
export const operatorPrioritises = (
  db: Database,
  act: Act,
  jobId: string,
  priority: number,
): Promise<'set' | 'not_queued' | 'unknown'> =>
  resultOf(db, 'SELECT operator_prioritises($1::uuid, $2::uuid, $3::uuid, $4::int) AS result', act, jobId, priority);

/** With a reason it pauses, with null it goes on; what is so already stays so. */
export const operatorPauses = (db: Database, act: Act, because: string | null): Promise<void> =>
  resultOf(db, 'SELECT operator_pauses($1::uuid, $2::uuid, $3::text) AS result', act, because);

/** With a reason it drains, with null it undrains. False: there is no such engine. */
export const operatorDrains = (db: Database, act: Act, engine: string, because: string | null): Promise<boolean> =>
  resultOf(db, 'SELECT operator_drains($1::uuid, $2::uuid, $3::text, $4::text) AS result', act, engine, because);

export const operatorPutsCourse = (
  db: Database,
  act: Act,
  course: CourseRow,
  rights: RightsRecord | undefined,
): Promise<void> =>
  resultOf(
    db,
    'SELECT operator_puts_course($1::uuid, $2::uuid, $3::jsonb, $4::jsonb) AS result',
    act,
    JSON.stringify(course),
    JSON.stringify(rights ?? {}),
  );

export type QueueRow = {
  paused_at: Date | null;
  reason: string | null;
  /** Jobs that wait for a slot, and those that have one. */
  waiting: number;
  running: number;
};

export async function findQueue(db: Database): Promise<QueueRow> {
  const row = await maybeOne<QueueRow>(
    db,
    `SELECT q.paused_at, q.reason,
            (SELECT count(*) FROM jobs WHERE state = 'enrolled') AS waiting,
            (SELECT count(*) FROM attempts WHERE state <> 'settled') AS running
     FROM queue_pause q`,
    [],
  );
  if (row === undefined) throw new Error('queue_pause has no row');
  return row;
}
