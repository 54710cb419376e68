/** Rows for tests that begin in the middle of the flow, written through the product's own modules. */
import { createHash, randomUUID } from 'node:crypto';
import { acceptManifest, findJob, insertJob, type JobRow, type JobState } from '../sql/jobs.ts';
import { beginNextAttempt, type BegunAttempt } from '../sql/queue.ts';
import { beginRunning, recordContainer, type AttemptRow } from '../sql/attempts.ts';
import { putCourse } from '../sql/courses.ts';
import { registerEngine, type EngineCapacity } from '../sql/engines.ts';
import { insertOrder } from '../sql/orders.ts';
import { inTransaction, type Database, type Pool } from '../sql/pool.ts';
import { beginEnrol, confirmEnrol, type Step } from '../sql/steps.ts';
import type { TestDatabase } from './database.ts';

const ALPHABET = '23456789ABCDEFGHJKMNPQRSTWXYZ';
const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest();

export function testOrderCode(): string {
  const digest = sha256(randomUUID());
  return `LD${Array.from({ length: 10 }, (_, i) => ALPHABET[(digest[i] ?? 0) % ALPHABET.length]).join('')}`;
}

export const TEST_COURSE = 'test-course';
export const TEST_ENGINE = 'test-engine';

export const TEST_LIMITS = { memoryBytes: 1024 * 1024, deadlineSeconds: 60, graceSeconds: 1 };
export const TEST_CAPACITY: EngineCapacity = {
  slots: 1_000,
  launchesMax: 1_000,
  memoryBytes: 1e15,
  diskFloorBytes: 0,
  profiles: { standard: TEST_LIMITS.memoryBytes },
};

/** One pool of each role, a course that can be ordered, and an engine. */
export async function makeWorld(database: TestDatabase, capacity: Partial<EngineCapacity> = {}) {
  const owner = database.poolFor('lading_owner');
  const api = database.poolFor('lading_api');
  const orchestrator = database.poolFor('lading_orchestrator');
  await putCourse(
    owner,
    {
      id: TEST_COURSE,
      title: 'A course for tests',
      price_vnd: 499_000,
      provider: 'manifest',
      source: { manifestUrl: 'https://localhost/manifest.json' },
      profile: 'standard',
    },
    { kind: 'own', evidence: 'https://lading.example/rights', recordedBy: 'test' },
  );
  await registerEngine(orchestrator, TEST_ENGINE, { ...TEST_CAPACITY, ...capacity });
  return { owner, api, orchestrator };
}
export type World = Awaited<ReturnType<typeof makeWorld>>;

export async function insertTestOrder(api: Pool, email = 'customer@shop.example') {
  const key = sha256(randomUUID());
  const order = await insertOrder(api, {
    id: randomUUID(),
    code: testOrderCode(),
    courseId: TEST_COURSE,
    email,
    idempotencyKeyDigest: key,
    requestDigest: key,
    ttlMinutes: 60,
  });
  if (!order) throw new Error('the course cannot be ordered');
  return order;
}

export async function insertTestJob(world: World, email?: string, priority?: number): Promise<JobRow> {
  const order = await insertTestOrder(world.api, email);
  const job = await inTransaction(world.api, (client) =>
    insertJob(client, { id: order.id, courseId: TEST_COURSE }, priority),
  );
  if (!job) throw new Error('the order has a job already');
  return job;
}

/** The step as whoever took it last holds it. */
export async function heldStep(db: Database, jobId: string): Promise<Step> {
  const job = await findJob(db, jobId);
  if (!job) throw new Error(`no job ${jobId}`);
  // Also of a job that stands elsewhere: the move is to refuse it.
  return { jobId, state: job.state as Step['state'], epoch: job.step_epoch };
}

/** Its enrolment is taken and confirmed; undefined when it cannot be. */
export async function enrolTestJob(db: Database, jobId: string): Promise<JobRow | undefined> {
  await beginEnrol(db, jobId, 0);
  return confirmEnrol(db, await heldStep(db, jobId));
}

/** Whatever is first in the queue. */
export const beginTestAttempt = (world: World, holder = 'holder'): Promise<BegunAttempt | undefined> =>
  beginNextAttempt(world.orchestrator, {
    id: randomUUID(),
    engine: TEST_ENGINE,
    holder,
    leaseSeconds: 30,
    profiles: { standard: TEST_LIMITS },
    image: `sha256:${'0'.repeat(64)}`,
  });

/** An attempt of this job, if it waits: all others are made to wait for ever. */
export async function beginTestAttemptOf(
  world: World,
  jobId: string,
  holder?: string,
): Promise<BegunAttempt | undefined> {
  await world.owner.query(
    `UPDATE jobs SET next_task_at = 'infinity' WHERE state = 'enrolled' AND id <> $1::uuid AND next_task_at <= now()`,
    [jobId],
  );
  return beginTestAttempt(world, holder);
}

/** A job that waits for a slot. */
export async function enrolledTestJob(world: World, email?: string, priority?: number): Promise<JobRow> {
  const job = await insertTestJob(world, email, priority);
  const enrolled = await enrolTestJob(world.orchestrator, job.id);
  if (!enrolled) throw new Error('not enrolled');
  return enrolled;
}

/** A job with one running attempt. */
export async function runningTestAttempt(world: World): Promise<{ job: JobRow; attempt: AttemptRow }> {
  const job = await enrolledTestJob(world);
  const attempt = await beginTestAttemptOf(world, job.id);
  if (!attempt) throw new Error('no slot');
  const lease = { attemptId: attempt.id, epoch: attempt.lease_epoch };
  await recordContainer(world.orchestrator, lease, `container-${attempt.id}`);
  const running = await beginRunning(world.orchestrator, lease);
  if (!running) throw new Error('not running');
  return { job, attempt: running };
}

/** A job that stands in `state`, brought there by the legal moves. */
export async function testJobIn(world: World, state: JobState): Promise<JobRow> {
  const { orchestrator, api } = world;
  if (state === 'paid') return insertTestJob(world);
  if (state === 'enrolling') {
    const job = await insertTestJob(world);
    await beginEnrol(orchestrator, job.id, 0);
    return job;
  }
  if (state === 'enrolled') return enrolledTestJob(world);
  const { job } = await runningTestAttempt(world);
  if (state === 'attempting') return job;
  if (state === 'dead') {
    await world.owner.query(`UPDATE jobs SET state = 'dead', dead_reason = 'test' WHERE id = $1::uuid`, [job.id]);
    return job;
  }
  await acceptManifest(api, job.id, 'folder');
  if (state === 'completed')
    await world.owner.query(`UPDATE jobs SET state = 'completed' WHERE id = $1::uuid`, [job.id]);
  return job;
}
