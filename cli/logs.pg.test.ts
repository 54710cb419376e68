import { once } from 'node:events';
import { createInterface } from 'node:readline';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { insertLogEnd, type StoredChunk } from '../sql/logs.ts';
import { settle, type AttemptRow } from '../sql/attempts.ts';
import { startTestApi, type TestApi } from '../api/test-setup.ts';
import { makeWorld, runningTestAttempt, type World } from '../test/orders.ts';
import { makeTestCommand, TEST_OPERATOR, type TestCommand } from './test-command.ts';
import { madeLog, storeChunks } from './test-log.ts';

let api: TestApi;
let world: World;
let command: TestCommand;
/** Only a superuser can change what was logged. */
let superuser: pg.Client;
beforeAll(async () => {
  api = await startTestApi();
  world = await makeWorld(api.database);
  command = await makeTestCommand(api.database, api.url);
  const url = new URL(process.env['LADING_TEST_TEMPLATE_URL'] ?? '');
  url.pathname = new URL(api.database.urlFor('lading_owner')).pathname;
  superuser = new pg.Client({ connectionString: url.href });
  await superuser.connect();
});
afterAll(async () => {
  await superuser.end();
  command.remove();
  await api.stop();
});

const auditor = { role: 'lading_auditor' } as const;
const TEXTS = [['one', 'two \u001b[2J'], ['three'], ['four', 'five']];
const AT = '2026-01-01T00:00:0';

const store = (attempt: AttemptRow, chunks: readonly StoredChunk[]): Promise<void> =>
  storeChunks(world.orchestrator, attempt, chunks);

async function close(attempt: AttemptRow): Promise<void> {
  const { end } = madeLog(TEXTS);
  await insertLogEnd(world.orchestrator, attempt.lease_epoch, {
    attemptId: attempt.id,
    chunks: end.chunks,
    lines: end.lines,
    rawBytes: end.raw_bytes,
    linesCut: end.lines_cut,
    finalHash: end.final_hash,
  });
}

const end = (attempt: AttemptRow): Promise<unknown> =>
  settle(
    world.orchestrator,
    { attemptId: attempt.id, epoch: attempt.lease_epoch },
    { outcome: 'bug', detail: 'test', exitCode: 70, oomKilled: false, endMessage: undefined },
    { job: 'dies', spendsAttempt: true, reason: 'attempts_exhausted', detail: 'test' },
  );

/** A settled attempt with the whole log. */
async function loggedAttempt(): Promise<AttemptRow> {
  const { attempt } = await runningTestAttempt(world);
  await store(attempt, madeLog(TEXTS).chunks);
  await close(attempt);
  await end(attempt);
  return attempt;
}

describe('a log is shown', () => {
  let attempt: AttemptRow;
  beforeAll(async () => (attempt = await loggedAttempt()));

  test('in order, without control characters', async () => {
    expect((await command.run(['logs', attempt.job_id])).stdout).toBe(
      [
        `${AT}0.000000001Z out one`,
        `${AT}1.000000001Z out two \\u001b[2J`,
        `${AT}2.000000001Z out three`,
        `${AT}3.000000001Z out four`,
        `${AT}4.000000001Z out five`,
        '',
      ].join('\n'),
    );
  });

  test('raw on request', async () => {
    expect((await command.run(['logs', attempt.job_id, '--attempt', '1', '--raw'])).stdout).toBe(
      'one\ntwo \u001b[2J\nthree\nfour\nfive\n',
    );
  });

  test.each([
    [`${AT}1.000000002Z`, 'three\nfour\nfive\n'],
    [`${AT}4.000000001Z`, 'five\n'],
    ['1s', ''],
    ['36500d', 'one\ntwo \u001b[2J\nthree\nfour\nfive\n'],
  ])('since %s', async (since, shown) => {
    expect((await command.run(['logs', attempt.job_id, '--raw', '--since', since])).stdout).toBe(shown);
  });

  test('or it is said why not', async () => {
    const refused = (args: string[]) => command.run(['logs', attempt.job_id, ...args]);
    expect(await refused(['--attempt', '2'])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/no attempt 2/),
    });
    expect(await refused(['--since', 'yesterday'])).toMatchObject({
      code: 64,
      stderr: expect.stringMatching(/--since/),
    });
  });

  test('that is larger than a page, whole', async () => {
    const { attempt: long } = await runningTestAttempt(world);
    const texts = Array.from({ length: 50 }, (_, i) => [`line ${i}`]);
    await store(long, madeLog(texts).chunks);
    expect((await command.run(['logs', long.job_id, '--raw'])).stdout).toBe(
      texts.map(([text]) => `${text}\n`).join(''),
    );
  });
});

describe('a log is followed', () => {
  test('as it grows, without a query meanwhile, until its end', async () => {
    const { attempt } = await runningTestAttempt(world);
    const { attempt: other } = await runningTestAttempt(world);
    const [first, second, third] = madeLog(TEXTS).chunks as [StoredChunk, StoredChunk, StoredChunk];
    await store(attempt, [first]);
    const following = command.start(['logs', attempt.job_id, '--follow', '--raw']);
    const exited = once(following, 'exit');
    const lines = createInterface({ input: following.stdout ?? process.stdin })[Symbol.asyncIterator]();
    const next = async () => (await lines.next()).value as string;
    expect([await next(), await next()]).toEqual(['one', 'two \u001b[2J']);
    await store(attempt, [second]);
    expect(await next()).toBe('three');

    const lastStatement = async () =>
      (
        await superuser.query(
          `SELECT max(query_start) AS at FROM pg_stat_activity WHERE usename = 'lading_api' AND datname = current_database()`,
        )
      ).rows[0] as unknown;
    // Its last answer is on its way when the line is seen.
    await superuser.query('SELECT pg_sleep(0.2)');
    const before = await lastStatement();
    await store(other, madeLog(TEXTS).chunks);
    await superuser.query('SELECT pg_sleep(1.2)'); // long enough for a poll to show
    expect(await lastStatement()).toEqual(before);

    await store(attempt, [third]);
    await close(attempt);
    expect([await next(), await next()]).toEqual(['four', 'five']);
    expect(await exited).toEqual([0, null]);
  });

  test('through a stream that is cut, without a line lost or repeated', async () => {
    const { attempt } = await runningTestAttempt(world);
    const { chunks } = madeLog(TEXTS);
    await store(attempt, chunks.slice(0, 1));
    const following = command.start(['logs', attempt.job_id, '--follow', '--raw']);
    const exited = once(following, 'exit');
    const lines = createInterface({ input: following.stdout ?? process.stdin })[Symbol.asyncIterator]();
    const next = async () => (await lines.next()).value as string;
    expect([await next(), await next()]).toEqual(['one', 'two \u001b[2J']);
    await superuser.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE datname = current_database() AND application_name = 'lading api, listening'`);
    await store(attempt, chunks.slice(1));
    await close(attempt);
    expect([await next(), await next(), await next()]).toEqual(['three', 'four', 'five']);
    expect([await exited, (await lines.next()).done]).toEqual([[0, null], true]);
  });

  test('until it is settled, where there never was an end record', async () => {
    const { attempt } = await runningTestAttempt(world);
    const following = command.start(['logs', attempt.job_id, '--follow']);
    const exited = once(following, 'exit');
    await end(attempt);
    expect(await exited).toEqual([0, null]);
  });

  test.each(['SIGINT', 'SIGTERM'] as const)('until %s, cleanly', async (signal) => {
    const { attempt } = await runningTestAttempt(world);
    await store(attempt, madeLog(TEXTS).chunks);
    const following = command.start(['logs', attempt.job_id, '--follow']);
    let stderr = '';
    following.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    const exited = once(following, 'exit');
    await once(following.stdout ?? following, 'data');
    following.kill(signal);
    expect([await exited, stderr]).toEqual([[0, null], '']);
  });
});

describe('each read is recorded', () => {
  test('with who, from where, with what, why and which part', async () => {
    const attempt = await loggedAttempt();
    await command.run(['logs', attempt.job_id, '--reason', 'complaint 17']);
    await command.run(['logs', 'verify', attempt.job_id], { role: 'lading_owner' });
    const reads = await command.json(['logs', 'reads', attempt.job_id]);
    expect(reads).toMatchObject([
      { attempt: 1, reader: 'lading_owner', person: TEST_OPERATOR, via: 'lading logs verify', reason: null },
      {
        attempt: 1,
        reader: 'lading_api',
        person: `${TEST_OPERATOR}, operator`,
        via: expect.stringMatching(/^api, key lk_[a-z2-7]{8}$/) as unknown,
        reason: 'complaint 17',
        fromChunk: 0,
        toChunk: 2,
        times: 1,
      },
    ]);
    expect((await command.run(['logs', 'reads', attempt.job_id])).stdout).toContain('complaint 17');
  });
});

describe('a log is verified', () => {
  test('whole ones, running ones and ones that never were', async () => {
    const attempt = await loggedAttempt();
    const { final_hash, ...counts } = madeLog(TEXTS).end;
    expect(await command.json(['logs', 'verify', attempt.job_id], auditor)).toEqual([
      {
        attempt_id: attempt.id,
        job_id: attempt.job_id,
        order_code: expect.stringMatching(/^LD/),
        n: 1,
        status: 'ok',
        ...counts,
        final_hash: final_hash.toString('hex'),
        faults: [],
      },
    ]);
    const { attempt: running } = await runningTestAttempt(world);
    await store(running, madeLog(TEXTS).chunks.slice(0, 2));
    const { code, stdout } = await command.run(['logs', 'verify', running.job_id, '--attempt', '1'], auditor);
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^running .*2 chunks, 3 lines/)]);
    expect(await command.run(['logs', 'verify', running.job_id, '--attempt', '2'], auditor)).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/no attempt 2/),
    });
  });

  const MIDDLE = 'attempt_id = $1::uuid AND seq = 1';
  test.each<[string, string, RegExp]>([
    [
      'a byte is flipped',
      `UPDATE log_chunks SET zstd = set_byte(zstd, length(zstd) - 3, get_byte(zstd, length(zstd) - 3) # 1) WHERE ${MIDDLE}`,
      /chunk 1: (hash differs|cannot be decompressed)/,
    ],
    ['a chunk is dropped', `DELETE FROM log_chunks WHERE ${MIDDLE}`, /chunk 1: missing/],
    [
      'the log is cut',
      `DELETE FROM log_chunks WHERE attempt_id = $1::uuid AND seq = 2`,
      /end record: 3 chunks, 2 are stored/,
    ],
    ['the end record is dropped', 'DELETE FROM log_ends WHERE attempt_id = $1::uuid', /end record: missing/],
    ['chunks are renumbered', `UPDATE log_chunks SET seq = 7 WHERE ${MIDDLE}`, /chunk 1: missing/],
    [
      'lines are renumbered',
      `UPDATE log_chunks SET first_line = 4 WHERE ${MIDDLE}`,
      /chunk 1: begins with line 4, not 3/,
    ],
    [
      'the end record is rewritten',
      'UPDATE log_ends SET lines = 4 WHERE attempt_id = $1::uuid',
      /end record: 4 lines, 5 are stored/,
    ],
    [
      'a chunk is replaced by that of another attempt',
      `UPDATE log_chunks SET (zstd, hash, raw_bytes) =
         (SELECT zstd, hash, raw_bytes FROM log_chunks o WHERE o.attempt_id = log_chunks.attempt_id AND seq = 0)
       WHERE ${MIDDLE}`,
      /chunk 1: hash differs/,
    ],
  ])('broken, when %s', async (_, tampering, fault) => {
    const attempt = await loggedAttempt();
    await superuser.query('SET session_replication_role = replica');
    const { rowCount } = await superuser.query(tampering, [attempt.id]);
    await superuser.query('SET session_replication_role = DEFAULT');
    expect(rowCount).toBe(1);
    const { code, stdout } = await command.run(['logs', 'verify', attempt.job_id], auditor);
    expect([code, stdout]).toEqual([1, expect.stringMatching(/^broken /)]);
    expect(stdout).toMatch(fault);
  });

  test('all of them, and one broken among them is an error', async () => {
    const { code, stdout } = await command.run(['logs', 'verify', '--all', '--json'], auditor);
    const proofs = JSON.parse(stdout) as { status: string; attempt_id: string }[];
    const { rows } = await superuser.query<{ attempts: number }>('SELECT count(*)::int AS attempts FROM attempts');
    expect([code, new Set(proofs.map((proof) => proof.attempt_id)).size]).toEqual([1, rows[0]?.attempts]);
    expect(new Set(proofs.map((proof) => proof.status))).toEqual(new Set(['ok', 'running', 'broken']));
  });
});
