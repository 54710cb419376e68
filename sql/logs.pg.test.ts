import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { makeTestDatabase, type TestDatabase } from '../test/database.ts';
import { makeWorld, runningTestAttempt, type World } from '../test/orders.ts';
import type { AttemptRow } from './attempts.ts';
import { insertLogChunk, logTail, readLog } from './logs.ts';
import { inTransaction, type Pool } from './pool.ts';
import { sqlStateOf, SQLSTATE } from './sqlstate.ts';

let database: TestDatabase;
let world: World;
let auditor: Pool;
let attempt: AttemptRow;
beforeAll(async () => {
  database = await makeTestDatabase();
  world = await makeWorld(database);
  auditor = database.poolFor('lading_auditor');
  ({ attempt } = await runningTestAttempt(world));
  for (let seq = 0; seq < 5; seq += 1)
    await insertLogChunk(world.orchestrator, attempt.lease_epoch, {
      attemptId: attempt.id,
      seq,
      firstLine: seq + 1,
      lineCount: 1,
      rawBytes: 2,
      lastAt: 'x',
      resumeAt: null,
      resumeLines: 0,
      gaps: 0,
      zstd: Buffer.from(`chunk ${seq}`),
      hash: Buffer.alloc(32, seq),
    });
});
afterAll(() => database.drop());

const READING = { person: 'an auditor', via: 'a test', reason: 'a reason' };
const reads = async () => (await auditor.query('SELECT * FROM log_reads ORDER BY id')).rows as object[];
const announce = `SELECT announce_log_read($1, 0, 10, 'a test', 'an auditor', NULL) AS id`;
const stateOf = (refused: Promise<unknown>): Promise<string | undefined> =>
  refused.then(
    () => 'not refused',
    (error: unknown) => sqlStateOf(error),
  );

describe('reading a log leaves a trace', () => {
  test('of who read which chunks; nothing is recorded where there is nothing to read', async () => {
    const before = (await reads()).length;
    const chunks = await readLog(auditor, attempt.id, 1, 3, READING);
    expect(chunks.map((chunk) => [chunk.seq, chunk.zstd.toString()])).toEqual([
      [1, 'chunk 1'],
      [2, 'chunk 2'],
      [3, 'chunk 3'],
    ]);
    expect(await readLog(auditor, attempt.id, 5, 3, READING)).toEqual([]);
    expect((await reads()).slice(before)).toMatchObject([
      { ...READING, reader: expect.any(String), attempt_id: attempt.id, from_seq: 1, to_seq: 3, at: expect.any(Date) },
    ]);
  });

  test('that cannot be rolled back together with the read', async () => {
    const before = (await reads()).length;
    const inOne = inTransaction(auditor, async (client) => {
      const { rows } = await client.query<{ id: number }>(announce, [attempt.id]);
      await client.query('SAVEPOINT later');
      return client.query('SELECT * FROM read_log($1)', [rows[0]?.id]);
    });
    expect(await stateOf(inOne)).toBe(SQLSTATE.readNotAnnounced);
    const inOneStatement = auditor.query(
      `SELECT * FROM read_log(announce_log_read($1, 0, 10, 'a test', 'an auditor', NULL))`,
      [attempt.id],
    );
    expect(await stateOf(inOneStatement)).toBe(SQLSTATE.readNotAnnounced);
    expect(await reads()).toHaveLength(before);
  });

  test('not of another reader, and not for ever', async () => {
    const { rows } = await auditor.query<{ id: number }>(announce, [attempt.id]);
    const id = rows[0]?.id;
    const { rows: sessions } = await world.owner.query<{ same: boolean }>(
      `SELECT session_user = reader AS same FROM log_reads WHERE id = $1`,
      [id],
    );
    // On a server whose roles have no passwords for us, all are one session user.
    if (sessions[0]?.same === false)
      expect(await stateOf(world.owner.query('SELECT * FROM read_log($1)', [id]))).toBe(SQLSTATE.readNotAnnounced);
    const stale = `INSERT INTO log_reads (at, reader, person, via, attempt_id, from_seq, to_seq, transaction)
      SELECT at - interval '61 seconds', reader, person, via, attempt_id, from_seq, to_seq, transaction
      FROM log_reads WHERE id = $1 RETURNING id`;
    const { rows: old } = await world.owner.query<{ id: number }>(stale, [id]);
    expect(await stateOf(auditor.query('SELECT * FROM read_log($1)', [old[0]?.id]))).toBe(SQLSTATE.readNotAnnounced);
    expect((await auditor.query('SELECT * FROM read_log($1)', [id])).rows).toHaveLength(5);
  });

  test('and there is no other way for anybody but the owner', async () => {
    for (const pool of [auditor, world.api, world.orchestrator])
      for (const statement of ['SELECT zstd FROM log_chunks', 'TABLE log_chunks'])
        await expect(pool.query(statement)).rejects.toThrow(/permission denied for table log_chunks/);
    await expect(world.orchestrator.query(announce, [attempt.id])).rejects.toThrow(/permission denied for function/);
    const forged = `INSERT INTO log_reads (person, via, attempt_id, from_seq, to_seq) VALUES ('x', 'x', $1, 0, 9)`;
    await expect(auditor.query(forged, [attempt.id])).rejects.toThrow(/permission denied/);
  });
});

test('an orchestrator learns where to go on with a log, without reading it', async () => {
  expect(await logTail(world.orchestrator, attempt.id)).toMatchObject({
    chunks: 5,
    lines: 5,
    hash: Buffer.alloc(32, 4),
  });
});

test('the auditor writes nothing', async () => {
  const { rows } = await world.owner.query<{ table_name: string }>(
    `SELECT table_schema || '.' || table_name AS table_name FROM information_schema.table_privileges
     WHERE grantee IN ('lading_auditor', 'PUBLIC') AND privilege_type <> 'SELECT'
       AND table_schema NOT IN ('pg_catalog', 'information_schema')`,
  );
  expect(rows).toEqual([]);
});
