/** Ten thousand jobs and a log of a million lines: what the console asks reads hardly more rows than it shows. Counted, not timed. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { pageOfDeadLetters } from '../../sql/dead-letters.ts';
import { endedByHour } from '../../sql/hours.ts';
import { pageOfJobs } from '../../sql/job-pages.ts';
import { chunkOfLine, storedLines } from '../../sql/logs.ts';
import type { Database } from '../../sql/pool.ts';
import { pageOfReads } from '../../sql/reads.ts';
import { findJobReport } from '../../sql/reports.ts';
import { runningTestAttempt, TEST_COURSE } from '../../test/orders.ts';
import { startOperating, type Operating } from './test-operating.ts';

const JOBS = 10_000;
const DEAD = 120;
const CHUNKS = 200;
const CHUNK_LINES = 5_000;
const PAGE = 50;
/** A page, what it is joined with, and a little: never the table. */
const READ_MAX = 4 * PAGE;

let operating: Operating;
let attemptId: string;
beforeAll(async () => {
  operating = await startOperating();
  const { owner } = operating;
  attemptId = (await runningTestAttempt(operating.world)).attempt.id;
  await owner.query(
    `WITH made AS (
       INSERT INTO orders (code, course_id, email, amount_vnd, expires_at, idempotency_key_digest, request_digest, created_at)
       SELECT 'LD' || lpad(translate(i::text, '01', 'AB'), 10, 'A'), $1, 'c' || i || '@mail.example', 499000,
              now() + interval '1 day', sha256(i::text::bytea), sha256('x'), now() - make_interval(mins => 10 * i)
       FROM generate_series(1, $2::int) i RETURNING id, created_at
     )
     INSERT INTO jobs (order_id, course_id, customer, fair_tag, created_at, updated_at)
     SELECT id, $1, 'c', 1, created_at, created_at FROM made`,
    [TEST_COURSE, JOBS],
  );
  // The oldest of them, so that a list of the dead finds none near the end at which it begins.
  await owner.query(
    `UPDATE jobs SET state = 'dead', dead_reason = 'test'
     WHERE id IN (SELECT id FROM jobs WHERE state = 'paid' ORDER BY created_at LIMIT $1)`,
    [DEAD],
  );
  await owner.query(
    `INSERT INTO log_chunks (attempt_id, seq, first_line, line_count, raw_bytes, last_at, resume_lines, gaps, zstd, hash)
     SELECT $1, i, i * $3::bigint + 1, $3::int, 1, '', 0, 0, decode('00', 'hex'), sha256('x')
     FROM generate_series(0, $2::int - 1) i`,
    [attemptId, CHUNKS, CHUNK_LINES],
  );
  await owner.query('ANALYZE');
}, 60_000);
afterAll(() => operating.api.stop());

type Plan = {
  'Node Type': string;
  'Actual Rows': number;
  'Actual Loops': number;
  'Rows Removed by Filter'?: number;
  'Rows Removed by Index Recheck'?: number;
  Plans?: Plan[];
};
function readBy(plan: Plan): number {
  const own = plan['Node Type'].includes('Scan')
    ? plan['Actual Rows'] + (plan['Rows Removed by Filter'] ?? 0) + (plan['Rows Removed by Index Recheck'] ?? 0)
    : 0;
  return Math.ceil(own * plan['Actual Loops']) + (plan.Plans ?? []).reduce((sum, below) => sum + readBy(below), 0);
}

/** How many rows the statement of `ask` reads, as Postgres says of it; the statement is run as the API's role. */
async function rowsRead(ask: (db: Database) => Promise<unknown>): Promise<number> {
  let read = Number.NaN;
  const db = {
    query: async (text: string, values: unknown[]) => {
      const { rows } = await operating.api.pool.query<{ 'QUERY PLAN': { Plan: Plan }[] }>(
        `EXPLAIN (ANALYZE, FORMAT JSON) ${text}`,
        values,
      );
      read = rows[0]?.['QUERY PLAN'][0] ? readBy(rows[0]['QUERY PLAN'][0].Plan) : Number.NaN;
      return { rows: [] };
    },
  } as unknown as Database;
  await ask(db);
  return read;
}

const middle = async (): Promise<{ micros: number; id: string }> => {
  const { rows } = await operating.owner.query<{ micros: number; id: string }>(
    'SELECT micros(created_at) AS micros, id FROM jobs ORDER BY created_at DESC OFFSET 6000 LIMIT 1',
  );
  return rows[0] ?? { micros: 0, id: '' };
};

test('a page of jobs: the first, one in the middle, and those of a rare state', async () => {
  expect(await rowsRead((db) => pageOfJobs(db, {}, undefined, PAGE))).toBeLessThan(READ_MAX);
  const after = await middle();
  expect(await rowsRead((db) => pageOfJobs(db, {}, after, PAGE))).toBeLessThan(READ_MAX);
  expect(await rowsRead((db) => pageOfJobs(db, { state: 'dead' }, undefined, PAGE))).toBeLessThan(READ_MAX);
  expect(await rowsRead((db) => pageOfJobs(db, { state: 'completed' }, undefined, PAGE))).toBeLessThan(READ_MAX);
});

test('one job, by its id and by the code of its order', async () => {
  const { id } = await middle();
  expect(await rowsRead((db) => findJobReport(db, id))).toBeLessThan(10);
  expect(await rowsRead((db) => findJobReport(db, 'LDAAAAAA5555'))).toBeLessThan(10);
  expect(await rowsRead((db) => findJobReport(db, 'nothing'))).toBeLessThan(10);
});

test('a page of dead letters, and what ended today', async () => {
  expect(await rowsRead((db) => pageOfDeadLetters(db, {}, undefined, PAGE))).toBeLessThan(READ_MAX);
  expect(await rowsRead((db) => endedByHour(db, 24))).toBeLessThan(READ_MAX);
  expect(await rowsRead((db) => pageOfReads(db, undefined, undefined, PAGE))).toBeLessThan(READ_MAX);
});

test('of a log of a million lines: its length, and the chunk of a line, one row each', async () => {
  expect(await storedLines(operating.api.pool, attemptId)).toBe(CHUNKS * CHUNK_LINES);
  expect(await chunkOfLine(operating.api.pool, attemptId, 777_777)).toBe(155);
  expect(await rowsRead((db) => storedLines(db, attemptId))).toBe(1);
  expect(await rowsRead((db) => chunkOfLine(db, attemptId, 777_777))).toBe(1);
});
