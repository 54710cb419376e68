import { zstdDecompressSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { makeTestDatabase, type TestDatabase } from '../../test/database.ts';
import { makeWorld, runningTestAttempt, type World } from '../../test/orders.ts';
import { chainHash, FIRST_HASH } from '../../sql/log-chain.ts';
import { readLogChunks } from '../../sql/logs.ts';
import type { LogLine } from './line.ts';
import { ATTEMPT_LOG_MAX_BYTES, LogTakenOverError, makeLogWriter } from './log-writer.ts';
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
  makeLogWriter(world.orchestrator, { attemptId, epoch }, makeMasker(['canary-secret']), fail);
const line = (i: number, at = i): LogLine => ({
  at: `2026-01-01T00:00:00.${String(at).padStart(9, '0')}Z`,
  stream: 'stdout',
  text: `line ${i}`,
  continues: false,
});

async function stored(attemptId: string): Promise<{ n: number; l: string }[]> {
  const chunks = await readLogChunks(world.owner, attemptId);
  return chunks.flatMap((chunk) =>
    zstdDecompressSync(chunk.zstd)
      .toString('utf8')
      .trimEnd()
      .split('\n')
      .map((text) => JSON.parse(text) as { n: number; l: string }),
  );
}

test('after a crash the next writer goes on without a gap and without a repeat, also among equal timestamps', async () => {
  const { attempt } = await runningTestAttempt(world);
  // Three lines share each timestamp; the crash comes between the second and the third of one.
  const lines = Array.from({ length: 60 }, (_, i) => line(i, Math.floor(i / 3)));
  const first = await write(attempt.id);
  for (const one of lines.slice(0, 32)) await first.write(one);
  await first.flush();
  first.abandon();
  const second = await write(attempt.id);
  // `since` is inclusive to the second: the daemon repeats the whole timestamp.
  for (const one of lines.slice(30)) await second.write(one);
  await second.end();
  const kept = await stored(attempt.id);
  expect(kept.map((one) => one.l)).toEqual(lines.map((one) => one.text));
  expect(kept.map((one) => one.n)).toEqual(lines.map((_, i) => i + 1));
});

test('each chunk is chained to the one before, and the end record closes the chain', async () => {
  const { attempt } = await runningTestAttempt(world);
  const writer = await write(attempt.id);
  for (let i = 0; i < 3; i += 1) {
    await writer.write(line(i));
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
  await writer.write({ ...line(0), text: 'token=canary-secret' });
  await writer.end();
  expect((await stored(attempt.id))[0]?.l).toBe('token=[masked]');
});

test('what an attempt says beyond its limit is counted, not kept', async () => {
  const { attempt } = await runningTestAttempt(world);
  const writer = await write(attempt.id);
  const long = 'x'.repeat(256 * 1024);
  const fit = Math.ceil(ATTEMPT_LOG_MAX_BYTES / long.length);
  for (let i = 0; i < fit + 10; i += 1) await writer.write({ ...line(i), text: long });
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
  await young.write(line(0));
  await young.flush();
  await old.write(line(0));
  await expect(old.flush()).rejects.toThrow(LogTakenOverError);
  expect(await stored(attempt.id)).toHaveLength(1);
});

test('a writer whose lease has passed on stores nothing, even where nobody else has written yet', async () => {
  const { attempt } = await runningTestAttempt(world);
  const old = await write(attempt.id);
  await old.write(line(0));
  await world.owner.query('UPDATE attempts SET lease_epoch = lease_epoch + 1 WHERE id = $1', [attempt.id]);
  await expect(old.flush()).rejects.toThrow(LogTakenOverError);
  expect(await stored(attempt.id)).toHaveLength(0);
});
