import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { pino } from 'pino';
import { makeTestDatabase, type TestDatabase } from '../test/database.ts';
import { makeWorld, runningTestAttempt, type World } from '../test/orders.ts';
import { findJob } from '../sql/jobs.ts';
import { adoptExpired } from '../sql/attempts.ts';
import { makeProfiles } from './profiles.ts';
import { settleAttempt } from './settle-attempt.ts';

let database: TestDatabase;
let world: World;
beforeAll(async () => {
  database = await makeTestDatabase();
  world = await makeWorld(database);
});
afterAll(() => database.drop());

test('a settle under a lease that has passed on is refused and counted, and changes nothing', async () => {
  const { job, attempt } = await runningTestAttempt(world);
  await world.owner.query(`UPDATE attempts SET lease_expires_at = now() - interval '1 second' WHERE id = $1`, [
    attempt.id,
  ]);
  const [adopted] = await adoptExpired(world.orchestrator, attempt.engine, 'another', 30);
  let refused = 0;
  const deps = {
    pool: world.orchestrator,
    log: pino({ level: 'silent' }),
    retryBaseSeconds: 1,
    profiles: makeProfiles({}),
    onSettled: () => undefined,
    onStaleWrite: () => {
      refused += 1;
    },
  };
  const ended = { exitCode: 75, oomKilled: false, end: undefined };
  expect(await settleAttempt(deps, { attemptId: attempt.id, epoch: attempt.lease_epoch }, ended)).toBe(false);
  expect(refused).toBe(1);
  expect((await findJob(world.owner, job.id))?.state).toBe('attempting');
  expect(await settleAttempt(deps, { attemptId: attempt.id, epoch: adopted?.lease_epoch ?? 0 }, ended)).toBe(true);
  expect((await findJob(world.owner, job.id))?.state).toBe('enrolled');
});
