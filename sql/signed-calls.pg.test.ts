import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { makeWorld, runningTestAttempt, type World } from '../test/orders.ts';
import { makeTestDatabase, type TestDatabase } from '../test/database.ts';
import { settle } from './attempts.ts';
import { rememberSignedCall } from './signed-calls.ts';

/** As in forget_signed_calls. */
const FORGOTTEN_AT_ONCE = 20;
const KEPT_MINUTES = 15;

let database: TestDatabase;
let world: World;
let settled: string;
let open: string;
beforeAll(async () => {
  database = await makeTestDatabase();
  world = await makeWorld(database);
  const { attempt } = await runningTestAttempt(world);
  settled = attempt.id;
  await settle(
    world.orchestrator,
    { attemptId: attempt.id, epoch: attempt.lease_epoch },
    { outcome: 'app_temporary', detail: '', exitCode: 75, oomKilled: false, endMessage: undefined },
    { job: 'retries', spendsAttempt: true, delaySeconds: 3_600 },
  );
  open = (await runningTestAttempt(world)).attempt.id;
});
afterAll(() => database.drop());

const bodyDigest = Buffer.alloc(32);
const remember = (attemptId: string): Promise<string> =>
  rememberSignedCall(world.api, { webhookId: randomUUID(), attemptId, bodyDigest });
const insertOld = (attemptId: string, minutes: number, count: number): Promise<unknown> =>
  world.owner.query(
    `INSERT INTO signed_calls_seen (webhook_id, attempt_id, body_digest, seen_at)
     SELECT gen_random_uuid(), $1::uuid, $2::bytea, now() - make_interval(mins => $3::int) FROM generate_series(1, $4::int)`,
    [attemptId, bodyDigest, minutes, count],
  );
const countOld = async (): Promise<number> =>
  (
    await world.owner.query<{ n: number }>(
      `SELECT count(*)::int AS n FROM signed_calls_seen WHERE seen_at < now() - interval '1 minute'`,
    )
  ).rows[0]?.n ?? -1;

test('old calls of settled attempts are forgotten a few at a time, with each call that is remembered', async () => {
  await insertOld(settled, KEPT_MINUTES + 1, 1);
  const before = await countOld();
  await insertOld(settled, KEPT_MINUTES + 1, 2 * FORGOTTEN_AT_ONCE + 1 - before);
  const [start] = [await countOld()];
  await remember(open);
  expect(await countOld()).toBe(start - FORGOTTEN_AT_ONCE);
  await remember(open);
  await remember(open);
  expect(await countOld()).toBe(0);
});

test('what is within the window stays, and so does all of an attempt that is open', async () => {
  await insertOld(settled, KEPT_MINUTES - 1, 3);
  await insertOld(open, 24 * 60, 2);
  await remember(open);
  expect(await countOld()).toBe(5);
});

test('many that remember at once forget without waiting for each other', async () => {
  await insertOld(settled, 60, 100);
  await Promise.all(Array.from({ length: 8 }, () => remember(open)));
  await Promise.all(Array.from({ length: 8 }, () => remember(open)));
  expect(await countOld()).toBe(5);
});

test('the API may not delete by itself', async () => {
  await expect(world.api.query('DELETE FROM signed_calls_seen')).rejects.toMatchObject({ code: '42501' });
});
