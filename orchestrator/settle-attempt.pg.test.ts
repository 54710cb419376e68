import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { pino } from 'pino';
import { makeTestDatabase, type TestDatabase } from '../test/database.ts';
import { makeWorld, runningTestAttempt, type World } from '../test/orders.ts';
import { findJob } from '../sql/jobs.ts';
import { adoptExpired } from '../sql/attempts.ts';
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
