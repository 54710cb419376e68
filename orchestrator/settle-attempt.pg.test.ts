import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { pino } from 'pino';
import { makeTestDatabase, type TestDatabase } from '../test/database.ts';
import { makeWorld, runningTestAttempt, type World } from '../test/orders.ts';
import { findJob } from '../sql/jobs.ts';
import { parseJobMessage } from '../job-image/contract/messages.ts';
import { adoptExpired, takeFromGone } from '../sql/leases.ts';
import { settleWithoutContainer } from './observe.ts';
import { makeProfiles } from './profiles.ts';
import { settleAttempt, type SettleDeps } from './settle-attempt.ts';

let database: TestDatabase;
let world: World;
beforeAll(async () => {
  database = await makeTestDatabase();
  world = await makeWorld(database);
});
afterAll(() => database.drop());

const settleDeps = (changes: Partial<SettleDeps>): SettleDeps => ({
  pool: world.orchestrator,
  log: pino({ level: 'silent' }),
  retryBaseSeconds: 1,
  profiles: makeProfiles({}),
  onSettled: () => undefined,
  onStaleWrite: () => undefined,
  onJobEnded: () => undefined,
  ...changes,
});

const MIB = 1024 * 1024;
test.each([
  [1_024, { state: 'enrolled', profile: 'large' }],
  // Under the bigger profile it would wait for an engine that is not there.
  [1_023, { state: 'dead', profile: null, dead_reason: 'oom' }],
])('out of memory on an engine of %d MiB: %j', async (mib, after) => {
  const { job, attempt } = await runningTestAttempt(world);
  await world.owner.query('UPDATE engines SET memory_bytes = $1', [mib * MIB]);
  const lease = { attemptId: attempt.id, epoch: attempt.lease_epoch };
  await settleAttempt(settleDeps({}), lease, { exitCode: 137, oomKilled: true, end: undefined });
  const { rows } = await world.owner.query('SELECT state, profile, dead_reason FROM jobs WHERE id = $1', [job.id]);
  expect(rows).toMatchObject([after]);
});

test('a settle under a lease that has passed on is refused and counted, and changes nothing', async () => {
  const { job, attempt } = await runningTestAttempt(world);
  await world.owner.query(`UPDATE attempts SET lease_expires_at = now() - interval '1 second' WHERE id = $1`, [
    attempt.id,
  ]);
  const [adopted] = await adoptExpired(world.orchestrator, attempt.engine, 'another', 30);
  let refused = 0;
  const deps = settleDeps({ onStaleWrite: () => (refused += 1) });
  const ended = { exitCode: 75, oomKilled: false, end: undefined };
  expect(await settleAttempt(deps, { attemptId: attempt.id, epoch: attempt.lease_epoch }, ended)).toBe(false);
  expect(refused).toBe(1);
  expect((await findJob(world.owner, job.id))?.state).toBe('attempting');
  expect(await settleAttempt(deps, { attemptId: attempt.id, epoch: adopted?.lease_epoch ?? 0 }, ended)).toBe(true);
  expect((await findJob(world.owner, job.id))?.state).toBe('enrolled');
});

test.each(['a\0b', '\ud800x'])('last words that Postgres cannot hold settle all the same: %j', async (detail) => {
  const { attempt } = await runningTestAttempt(world);
  const line = JSON.stringify({ lading: 'end', reason: 'bug', detail });
  const said = parseJobMessage(line);
  const end = said?.lading === 'end' ? said : undefined;
  const lease = { attemptId: attempt.id, epoch: attempt.lease_epoch };
  expect(await settleAttempt(settleDeps({}), lease, { exitCode: 70, oomKilled: false, end })).toBe(true);
  const { rows } = await world.owner.query('SELECT outcome, detail FROM attempts WHERE id = $1', [attempt.id]);
  expect(rows).toEqual([{ outcome: 'bug', detail: expect.stringContaining('\ufffd') }]);
});

test('the job of an engine that is gone is tried again, and its log says that the end is missing', async () => {
  const { job, attempt } = await runningTestAttempt(world);
  const take = () => takeFromGone(world.orchestrator, 'another-engine', 'a sibling', 30, 60);
  expect((await take()).map(({ id }) => id)).not.toContain(attempt.id);
  await world.owner.query(`UPDATE attempts SET lease_expires_at = now() - interval '61 seconds' WHERE id = $1`, [
    attempt.id,
  ]);
  expect(await takeFromGone(world.orchestrator, attempt.engine, 'a sibling', 30, 60)).toEqual([]);
  const [taken] = await take();
  expect(taken).toMatchObject({ id: attempt.id, lease_epoch: attempt.lease_epoch + 1 });
  const lease = { attemptId: attempt.id, epoch: taken?.lease_epoch ?? 0 };
  await settleWithoutContainer(settleDeps({}), lease, 'gone');
  expect(await findJob(world.owner, job.id)).toMatchObject({ state: 'enrolled', attempts_spent: 0, losses: 1 });
  const { rows } = await world.owner.query('SELECT lines, gaps FROM log_ends WHERE attempt_id = $1', [attempt.id]);
  expect(rows).toEqual([{ lines: 1, gaps: 1 }]);
});
