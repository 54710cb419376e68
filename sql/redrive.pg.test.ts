import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { makeTestDatabase, type TestDatabase } from '../test/database.ts';
import {
  beginTestAttempt,
  beginTestAttemptOf,
  enrolTestJob,
  enrolledTestJob,
  makeWorld,
  runningTestAttempt,
  type World,
} from '../test/orders.ts';
import { beginRunning, recordContainer, recordFinalized, settle, type AttemptRow } from './attempts.ts';
import { deliveryFacts, findDelivery, recordGrant } from './deliveries.ts';
import { insertFiles, listFiles } from './files.ts';
import { acceptManifest, findJob } from './jobs.ts';
import { bury } from '../test/moves.ts';
import { inTransaction } from './pool.ts';
import { redriveJob } from '../test/moves.ts';
import { sqlStateOf, SQLSTATE } from './sqlstate.ts';

let database: TestDatabase;
let world: World;
beforeAll(async () => {
  database = await makeTestDatabase();
  world = await makeWorld(database);
});
afterAll(() => database.drop());

const redrive = (id: string, reason = 'asked for') =>
  inTransaction(world.owner, (client) => redriveJob(client, id, reason));
const leaseOf = (attempt: AttemptRow) => ({ attemptId: attempt.id, epoch: attempt.lease_epoch });
const ENDED = { outcome: 'app_temporary', detail: 'test', exitCode: 75, oomKilled: false, endMessage: undefined };
const settleWith = (attempt: AttemptRow, job: 'stays' | 'dies') =>
  settle(
    world.orchestrator,
    leaseOf(attempt),
    ENDED,
    job === 'stays' ? { job } : { job, spendsAttempt: true, reason: 'attempts_exhausted', detail: 'd' },
  );
const files = (...paths: string[]) =>
  paths.map((path) => ({ path, bytes: 1, sha256: 'a'.repeat(64), driveId: `drive-${path}` }));
const accept = (attempt: AttemptRow, folder: string, paths: string[]) =>
  inTransaction(world.api, async (client) => {
    await recordFinalized(client, attempt.id);
    await acceptManifest(client, attempt.job_id, folder);
    await insertFiles(client, attempt.job_id, attempt.id, files(...paths));
  });

/** From paid to a running attempt. */
async function runAgain(jobId: string): Promise<AttemptRow> {
  await enrolTestJob(world.orchestrator, jobId);
  const attempt = await beginTestAttemptOf(world, jobId);
  if (!attempt) throw new Error('no attempt');
  await recordContainer(world.orchestrator, leaseOf(attempt), `container-${attempt.id}`);
  await beginRunning(world.orchestrator, leaseOf(attempt));
  return attempt;
}

test('a redriven job has all its budgets again, keeps its attempts, and the move says who, why and what it was', async () => {
  const { job, attempt } = await runningTestAttempt(world);
  await world.owner.query(
    `UPDATE jobs SET losses = 9, attempts_spent = 2, task_failures = 3, profile = 'large' WHERE id = $1`,
    [job.id],
  );
  await settleWith(attempt, 'dies');
  expect(await redrive(job.id, 'the provider is back')).toBe('redriven');
  expect(await findJob(world.owner, job.id)).toMatchObject({
    state: 'paid',
    attempts_started: 1,
    attempts_spent: 0,
    losses: 0,
    task_failures: 0,
    profile: null,
  });
  const { rows } = await world.owner.query(
    `SELECT from_state, to_state, detail FROM audit_events WHERE subject_id = $1 ORDER BY id DESC LIMIT 1`,
    [job.id],
  );
  expect(rows).toEqual([
    {
      from_state: 'dead',
      to_state: 'paid',
      detail: { reason: 'the provider is back', was: 'attempts_exhausted', detail: 'd' },
    },
  ]);
  expect((await runAgain(job.id)).n).toBe(2);
});

test('a job that died while it was delivered delivers the new manifest, is granted anew and not mailed twice', async () => {
  const { job, attempt } = await runningTestAttempt(world);
  await accept(attempt, 'folder-1', ['a', 'b']);
  await settleWith(attempt, 'stays');
  await recordGrant(world.orchestrator, job.id, { grantedTo: 'customer@shop.example', permissionId: 'old' });
  await world.orchestrator.query('UPDATE deliveries SET mailed_at = now() WHERE job_id = $1', [job.id]);
  await bury(world.orchestrator, job.id, 'delivering', 'mail_refused', 'no such mailbox');
  await world.owner.query(`UPDATE orders SET email = 'new@shop.example' WHERE id = $1`, [job.order_id]);
  expect(await redrive(job.id)).toBe('redriven');

  await accept(await runAgain(job.id), 'folder-2', ['b', 'c', 'd']);
  expect((await listFiles(world.api, job.id)).map((file) => file.path)).toEqual(['b', 'c', 'd']);
  expect(await deliveryFacts(world.orchestrator, job.id)).toMatchObject({ folder_id: 'folder-2', files: 3, bytes: 3 });
  const { rows } = await world.owner.query('SELECT path FROM files WHERE attempt_id = $1 ORDER BY path', [attempt.id]);
  expect(rows).toEqual([{ path: 'a' }, { path: 'b' }]);

  expect(await findDelivery(world.orchestrator, job.id)).toMatchObject({ granted_at: null, permission_id: 'old' });
  await recordGrant(world.orchestrator, job.id, { grantedTo: 'new@shop.example', permissionId: 'new' });
  expect(await findDelivery(world.orchestrator, job.id)).toMatchObject({
    granted_to: 'new@shop.example',
    permission_id: 'new',
    granted_at: expect.any(Date),
    mailed_at: expect.any(Date),
  });
});

test('while the container of a dead job still runs, the job is not redriven: it would run twice', async () => {
  const { job, attempt } = await runningTestAttempt(world);
  await accept(attempt, 'folder', ['a']);
  await bury(world.orchestrator, job.id, 'delivering', 'grant_failed', 'x');
  expect(await redrive(job.id)).toBe('still_running');
  expect((await findJob(world.owner, job.id))?.state).toBe('dead');
  await settleWith(attempt, 'stays');
  expect(await redrive(job.id)).toBe('redriven');
});

test('of two that redrive one job, one does', async () => {
  const { job, attempt } = await runningTestAttempt(world);
  await settleWith(attempt, 'dies');
  const answers = await Promise.all([redrive(job.id), redrive(job.id)]);
  expect(answers.toSorted()).toEqual(['not_dead', 'redriven']);
  expect(await redrive('00000000-0000-4000-8000-000000000000')).toBe('unknown');
});

test('no service role brings a dead job back, not even by a statement that was meant well', async () => {
  const { job, attempt } = await runningTestAttempt(world);
  await settleWith(attempt, 'dies');
  const revive = `UPDATE jobs SET state = 'paid', dead_reason = NULL WHERE id = $1`;
  for (const pool of [world.orchestrator, world.owner]) {
    const error = await pool.query(revive, [job.id]).catch((refused: unknown) => refused);
    expect(sqlStateOf(error)).toBe(SQLSTATE.illegalMove);
  }
  const counted = world.orchestrator.query(revive.replace('SET', 'SET redrives = redrives + 1,'), [job.id]);
  await expect(counted).rejects.toThrow(/denied/);
});

test("many redriven jobs of one customer do not stand before another's", async () => {
  const narrow = await makeTestDatabase();
  try {
    const narrowWorld = await makeWorld(narrow);
    const dead: string[] = [];
    for (let i = 0; i < 20; i += 1) {
      const job = await enrolledTestJob(narrowWorld, 'many@shop.example');
      await bury(narrowWorld.orchestrator, job.id, 'enrolled', 'attempts_exhausted', 'x');
      dead.push(job.id);
    }
    for (const id of dead) {
      await inTransaction(narrowWorld.owner, (client) => redriveJob(client, id, 'x'));
      await enrolTestJob(narrowWorld.orchestrator, id);
    }
    const single = await enrolledTestJob(narrowWorld, 'one@shop.example');
    const started = [await beginTestAttempt(narrowWorld), await beginTestAttempt(narrowWorld)];
    expect(started.map((attempt) => attempt?.job_id)).toContain(single.id);
  } finally {
    await narrow.drop();
  }
});
