import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { makeTestDatabase, type TestDatabase } from '../test/database.ts';
import {
  beginTestAttempt,
  enrolledTestJob,
  heldStep,
  insertTestJob,
  makeWorld,
  testJobIn,
  type World,
} from '../test/orders.ts';
import { settle } from './attempts.ts';
import { claimCourseFolder, returnToEnrolling } from './course-folders.ts';
import { withdrawManifest } from './false-manifest.ts';
import { bury } from '../test/moves.ts';
import { dueSteps, nextDueMs } from './jobs.ts';
import type { Database } from './pool.ts';
import {
  beginEnrol,
  buryStep,
  complete,
  confirmEnrol,
  deferStep,
  holdStep,
  postponeStep,
  releaseStep,
  renewStep,
  takeDelivery,
  type Step,
} from './steps.ts';

let database: TestDatabase;
let world: World;
beforeAll(async () => {
  database = await makeTestDatabase();
  world = await makeWorld(database);
});
afterAll(() => database.drop());

/** Every write of whoever has taken a step. */
const WRITES: Record<string, (db: Database, step: Step) => Promise<unknown>> = {
  holdStep,
  confirmEnrol,
  complete,
  releaseStep,
  renewStep: (db, step) => renewStep(db, step, 30),
  deferStep: (db, step) => deferStep(db, step, 30),
  postponeStep: (db, step) => postponeStep(db, step, 30),
  buryStep: (db, step) => buryStep(db, step, 'r', 'd'),
  claimCourseFolder: async (db, step) => (await claimCourseFolder(db, step)) !== 'not_ours',
  returnToEnrolling,
  withdrawManifest: (db, step) =>
    withdrawManifest(db, step, { job: 'retries', spendsAttempt: true, delaySeconds: 0 }, 'false'),
};

describe('who was frozen beyond its lease while another took the step', () => {
  const take = { enrolling: beginEnrol, delivering: takeDelivery };
  for (const state of ['enrolling', 'delivering'] as const)
    test.each(Object.keys(WRITES))(`${state}: %s is refused and changes nothing`, async (name) => {
      const { id } = await testJobIn(world, state);
      await take[state](world.orchestrator, id, 0);
      const frozen = await heldStep(world.orchestrator, id);
      expect(await holdStep(world.orchestrator, frozen)).toBe(true);
      expect(await take[state](world.orchestrator, id, 30)).toBeDefined();
      const whole = 'SELECT * FROM jobs WHERE id = $1';
      const before = (await world.owner.query(whole, [id])).rows;
      expect((await WRITES[name]?.(world.orchestrator, frozen)) ?? false).toBe(false);
      expect((await world.owner.query(whole, [id])).rows).toEqual(before);
    });
});

test('a job that is tried again is due later, and nothing is due when nothing is open', async () => {
  const quiet = await makeTestDatabase();
  try {
    const quietWorld = await makeWorld(quiet);
    expect(await nextDueMs(quietWorld.orchestrator)).toBeUndefined();
    const job = await enrolledTestJob(quietWorld);
    // It waits for a slot: it is open, but no time will come at which it becomes due.
    expect(await nextDueMs(quietWorld.orchestrator)).toBeGreaterThan(3_600_000);
    const attempt = await beginTestAttempt(quietWorld);
    const lease = { attemptId: attempt?.id ?? '', epoch: attempt?.lease_epoch ?? 0 };
    const ended = { outcome: 'engine_lost', detail: '', exitCode: null, oomKilled: null, endMessage: undefined };
    await settle(quietWorld.orchestrator, lease, ended, { job: 'retries', spendsAttempt: false, delaySeconds: 20 });
    const dueMs = await nextDueMs(quietWorld.orchestrator);
    expect([dueMs !== undefined && dueMs > 0, dueMs !== undefined && dueMs <= 20_000]).toEqual([true, true]);
    await bury(quietWorld.orchestrator, job.id, 'enrolled', 'r', 'd');
    expect(await nextDueMs(quietWorld.orchestrator)).toBeUndefined();
  } finally {
    await quiet.drop();
  }
});

test('a step is queued again when its task is overdue, and not while it may still be in the queue', async () => {
  const due = async (): Promise<string[]> => (await dueSteps(world.orchestrator, 1_000)).map((step) => step.id);
  const queued = await insertTestJob(world);
  const forgotten = await insertTestJob(world);
  const postponed = await insertTestJob(world);
  const taken = await insertTestJob(world);
  await world.owner.query(`UPDATE jobs SET updated_at = now() - interval '1 minute' WHERE id = ANY ($1::uuid[])`, [
    [forgotten.id, taken.id],
  ]);
  await beginEnrol(world.orchestrator, postponed.id, 30);
  await postponeStep(world.orchestrator, await heldStep(world.orchestrator, postponed.id), 0);
  await beginEnrol(world.orchestrator, taken.id, 30);
  const found = await due();
  expect([queued, forgotten, postponed, taken].map((job) => found.includes(job.id))).toEqual([
    false,
    true,
    true,
    false,
  ]);
});
