import { zstdDecompressSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { makeTestDatabase, type TestDatabase } from '../../test/database.ts';
import { makeWorld, runningTestAttempt, type World } from '../../test/orders.ts';
import { chainHash, FIRST_HASH } from '../../sql/log-chain.ts';
import { readLogChunks } from '../../sql/logs.ts';
import type { LogLine } from './line.ts';
import { ATTEMPT_LOG_MAX_BYTES } from './limits.ts';
import { LogTakenOverError, makeLogWriter, type LogWriter } from './log-writer.ts';
import { makeMasker } from './masker.ts';

let database: TestDatabase;
let world: World;
beforeAll(async () => {
  database = await makeTestDatabase();
  world = await makeWorld(database);
});
afterAll(() => database.drop());

const fail = (error: unknown): never => {
  throw error;
};
const write = (attemptId: string, epoch = 1) =>
  makeLogWriter(world.orchestrator, { attemptId, epoch }, makeMasker(['canary-secret']), {
    error: fail,
    stored: () => undefined,
  });
const line = (i: number, at = i): LogLine => ({
  at: `2026-01-01T00:00:00.${String(at).padStart(9, '0')}Z`,
  stream: 'stdout',
  text: `line ${i}`,
  continues: false,
});

async function writeAll(writer: LogWriter, lines: readonly LogLine[]): Promise<void> {
  for (const one of lines) {
    writer.take(one);
    await writer.room();
  }
}

async function stored(attemptId: string): Promise<{ n: number; l: string; g?: 1 }[]> {
  const chunks = await readLogChunks(world.owner, attemptId);
  return chunks.flatMap((chunk) =>
    zstdDecompressSync(chunk.zstd)
      .toString('utf8')
      .trimEnd()
      .split('\n')
      .map((text) => JSON.parse(text) as { n: number; l: string; g?: 1 }),
  );
}

test('after a crash the next writer goes on without a gap and without a repeat, also among equal timestamps', async () => {
  const { attempt } = await runningTestAttempt(world);
  // Three lines share each timestamp; the crash comes between the second and the third of one.
  const lines = Array.from({ length: 60 }, (_, i) => line(i, Math.floor(i / 3)));
  const first = await write(attempt.id);
  await writeAll(first, lines.slice(0, 32));
  await first.flush();
  first.abandon();
  const second = await write(attempt.id);
  expect(second.since).toBeUndefined();
  await writeAll(second, lines);
  await second.end();
  const kept = await stored(attempt.id);
  expect(kept.map((one) => one.l)).toEqual(lines.map((one) => one.text));
  expect(kept.map((one) => one.n)).toEqual(lines.map((_, i) => i + 1));
});

test('where the daemon has rotated away what was not stored, the gap is marked and counted', async () => {
  const { attempt } = await runningTestAttempt(world);
  const second = (n: number): LogLine => ({ ...line(n), at: `2026-01-01T00:00:0${n}.000000000Z` });
  const first = await write(attempt.id);
  await writeAll(first, [0, 1, 2, 3, 4].map(second));
  await first.flush();
  first.abandon();
  const later = await write(attempt.id);
  expect(later.since).toBe('1767225602.000000000');
  await writeAll(later, [7, 8].map(second));
  await later.end();
  expect((await stored(attempt.id)).map((one) => [one.l, one.g])).toEqual([
    ...[0, 1, 2, 3, 4].map((n) => [`line ${n}`, undefined]),
    ['line 7', 1],
    ['line 8', undefined],
  ]);
  const { rows } = await world.orchestrator.query('SELECT gaps FROM log_ends WHERE attempt_id = $1', [attempt.id]);
  expect(rows).toEqual([{ gaps: 1 }]);
});

test('each chunk is chained to the one before, and the end record closes the chain', async () => {
  const { attempt } = await runningTestAttempt(world);
  const writer = await write(attempt.id);
  for (let i = 0; i < 3; i += 1) {
    writer.take(line(i));
    await writer.flush();
  }
  await writer.end();
  let hash: Buffer = FIRST_HASH;
  for (const chunk of await readLogChunks(world.owner, attempt.id)) {
    hash = chainHash(hash, zstdDecompressSync(chunk.zstd));
    expect(chunk.hash).toEqual(hash);
  }
  const { rows } = await world.orchestrator.query(
    'SELECT chunks, lines, final_hash FROM log_ends WHERE attempt_id = $1',
    [attempt.id],
  );
  expect(rows).toEqual([{ chunks: 3, lines: 3, final_hash: hash }]);
});

test('secrets never reach the table', async () => {
  const { attempt } = await runningTestAttempt(world);
  const writer = await write(attempt.id);
  writer.take({ ...line(0), text: 'token=canary-secret' });
  await writer.end();
  expect((await stored(attempt.id))[0]?.l).toBe('token=[masked]');
});

test('what an attempt says beyond its limit is counted, not kept', async () => {
  const { attempt } = await runningTestAttempt(world);
  const writer = await write(attempt.id);
  const long = 'x'.repeat(256 * 1024);
  const fit = Math.ceil(ATTEMPT_LOG_MAX_BYTES / long.length);
  for (let i = 0; i < fit + 10; i += 1) await writeAll(writer, [{ ...line(i), text: long }]);
  expect(writer.isFull()).toBe(true);
  await writer.end();
  const { rows } = await world.orchestrator.query<{ lines: number; lines_cut: number }>(
    'SELECT lines, lines_cut FROM log_ends WHERE attempt_id = $1',
    [attempt.id],
  );
  expect((rows[0]?.lines ?? 0) + (rows[0]?.lines_cut ?? 0)).toBe(fit + 10);
  expect(rows[0]?.lines_cut).toBeGreaterThanOrEqual(9);
});

test('a writer that was taken over is told so and stores nothing', async () => {
  const { attempt } = await runningTestAttempt(world);
  const [old, young] = [await write(attempt.id), await write(attempt.id)];
  young.take(line(0));
  await young.flush();
  old.take(line(0));
  await expect(old.flush()).rejects.toThrow(LogTakenOverError);
  expect(await stored(attempt.id)).toHaveLength(1);
});

test('a writer whose lease has passed on stores nothing, even where nobody else has written yet', async () => {
  const { attempt } = await runningTestAttempt(world);
  const old = await write(attempt.id);
  old.take(line(0));
  await world.owner.query('UPDATE attempts SET lease_epoch = lease_epoch + 1 WHERE id = $1', [attempt.id]);
  await expect(old.flush()).rejects.toThrow(LogTakenOverError);
  expect(await stored(attempt.id)).toHaveLength(0);
});
