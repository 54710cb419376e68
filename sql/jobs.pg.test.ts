import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { makeTestDatabase, type TestDatabase } from '../test/database.ts';
import {
  beginTestAttempt,
  beginTestAttemptOf,
  enrolledTestJob,
  insertTestJob,
  makeWorld,
  TEST_ENGINE,
  TEST_LIMITS,
  runningTestAttempt,
  testJobIn,
  type World,
} from '../test/orders.ts';
import { beginNextAttempt, beginRunning, recordContainer, recordFinalized, settle, type Verdict } from './attempts.ts';
import { recordGrant, recordMail } from './deliveries.ts';
import {
  acceptManifest,
  beginEnrol,
  bury,
  cancelJob,
  complete,
  confirmEnrol,
  dueSteps,
  findJob,
  JOB_STATES,
  nextDueMs,
  postponeStep,
  takeDelivery,
  type JobState,
} from './jobs.ts';
import { inTransaction } from './pool.ts';
import { redriveJob } from './redrive.ts';
import { withdrawManifest } from './false-manifest.ts';
import { quarantineEngine, recordDiskFree, releaseEngine, type EngineCapacity } from './engines.ts';
import { sqlStateOf, SQLSTATE } from './sqlstate.ts';

let database: TestDatabase;
let world: World;
beforeAll(async () => {
  database = await makeTestDatabase();
  world = await makeWorld(database);
});
afterAll(() => database.drop());

const RETRIES: Verdict = { job: 'retries', spendsAttempt: true, delaySeconds: 0 };
const ENDED = { outcome: 'app_temporary', detail: 'test', exitCode: 75, oomKilled: false, endMessage: undefined };

async function settleOpenAttempt(jobId: string, verdict: Verdict): Promise<unknown> {
  const { rows } = await world.orchestrator.query<{ id: string; lease_epoch: number }>(
    `SELECT id, lease_epoch FROM attempts WHERE job_id = $1::uuid AND state <> 'settled'`,
    [jobId],
  );
  const [open] = rows;
  return open && settle(world.orchestrator, { attemptId: open.id, epoch: open.lease_epoch }, ENDED, verdict);
}

async function deliverAndComplete(jobId: string): Promise<unknown> {
  await recordGrant(world.orchestrator, jobId, { grantedTo: 'customer@shop.example', permissionId: 'p' });
  await recordMail(world.orchestrator, jobId, {
    to: 'customer@shop.example',
    subject: 's',
    messageId: `<${jobId}@lading>`,
  });
  return complete(world.orchestrator, jobId);
}

/** Every move, and where it leads from each state it is legal in. All others must leave the job where it is. */
const MOVES: Record<string, { run: (id: string) => Promise<unknown>; leads: Partial<Record<JobState, JobState>> }> = {
  beginEnrol: {
    run: (id) => beginEnrol(world.orchestrator, id, 30),
    leads: { paid: 'enrolling', enrolling: 'enrolling' },
  },
  confirmEnrol: { run: (id) => confirmEnrol(world.orchestrator, id), leads: { enrolling: 'enrolled' } },
  beginNextAttempt: { run: (id) => beginTestAttemptOf(world, id), leads: { enrolled: 'attempting' } },
  'settle, job stays': { run: (id) => settleOpenAttempt(id, { job: 'stays' }), leads: { attempting: 'attempting' } },
  'settle, job retries': {
    run: (id) => settleOpenAttempt(id, { job: 'retries', spendsAttempt: true, delaySeconds: 0 }),
    leads: { attempting: 'enrolled' },
  },
  'settle, job dies': {
    run: (id) => settleOpenAttempt(id, { job: 'dies', spendsAttempt: true, reason: 'attempts_exhausted', detail: 'x' }),
    leads: { attempting: 'dead' },
  },
  acceptManifest: { run: (id) => acceptManifest(world.api, id, 'folder'), leads: { attempting: 'delivering' } },
  takeDelivery: { run: (id) => takeDelivery(world.orchestrator, id, 30), leads: { delivering: 'delivering' } },
  complete: { run: deliverAndComplete, leads: { delivering: 'completed' } },
  withdrawManifest: {
    run: async (id) => {
      // While a container of the job runs the manifest stands.
      if ((await findJob(world.owner, id))?.state === 'delivering') {
        expect(await withdrawManifest(world.orchestrator, id, RETRIES, 'false')).toBeUndefined();
        await settleOpenAttempt(id, { job: 'stays' });
      }
      return withdrawManifest(world.orchestrator, id, RETRIES, 'false');
    },
    leads: { delivering: 'enrolled' },
  },
  redriveJob: {
    run: async (id) => {
      // Of a job that ended while its container ran, the container ends first.
      if ((await findJob(world.owner, id))?.state === 'dead') await settleOpenAttempt(id, { job: 'stays' });
      const answer = await inTransaction(world.owner, (client) => redriveJob(client, id, 'asked for'));
      return answer === 'not_dead' ? undefined : answer;
    },
    leads: { dead: 'paid' },
  },
};
for (const from of JOB_STATES)
  if (from !== 'completed' && from !== 'dead')
    MOVES[`bury from ${from}`] = {
      run: (id) => bury(world.orchestrator, id, from, 'r', 'd'),
      leads: { [from]: 'dead' },
    };

describe('every move from every state', () => {
  for (const state of JOB_STATES)
    for (const [name, move] of Object.entries(MOVES)) {
      const leadsTo = move.leads[state];
      test(`${name} from ${state} ${leadsTo ? `leads to ${leadsTo}` : 'changes nothing'}`, async () => {
        const job = await testJobIn(world, state);
        const before = await findJob(world.owner, job.id);
        const answer = await move.run(job.id);
        const after = await findJob(world.owner, job.id);
        expect(after?.state).toBe(leadsTo ?? state);
        // Settling an attempt of a job that has gone on is legal and moves nothing but the attempt.
        if (!leadsTo && !name.startsWith('settle')) {
          expect(answer).toBeUndefined();
          expect(after).toEqual(before);
        }
      });
    }
});

const LOGGED = ['audit_events', 'log_chunks', 'log_ends', 'log_reads'] as const;

describe('the check behind the moves', () => {
  test('a statement that skips a state is refused by the database itself', async () => {
    const job = await testJobIn(world, 'paid');
    const skip = world.owner.query(`UPDATE jobs SET state = 'delivering', folder_id = 'f' WHERE id = $1::uuid`, [
      job.id,
    ]);
    expect(sqlStateOf(await skip.catch((error: unknown) => error))).toBe(SQLSTATE.illegalMove);
  });

  test('each move is written to the audit trail with the role that made it', async () => {
    const job = await enrolledTestJob(world);
    const { rows } = await world.owner.query(
      'SELECT actor, from_state, to_state FROM audit_events WHERE subject_id = $1::uuid ORDER BY id',
      [job.id],
    );
    expect(rows.map((row: { from_state: string | null; to_state: string }) => [row.from_state, row.to_state])).toEqual([
      [null, 'paid'],
      ['paid', 'enrolling'],
      ['enrolling', 'enrolled'],
    ]);
  });

  test('no service role may change or delete what was logged or audited', async () => {
    for (const pool of [world.api, world.orchestrator, database.poolFor('lading_auditor')])
      for (const table of LOGGED)
        for (const statement of [`DELETE FROM ${table}`, `UPDATE ${table} SET ctid = ctid`, `TRUNCATE ${table}`]) {
          const error = await pool.query(statement).catch((refused: unknown) => refused);
          expect([statement, sqlStateOf(error)]).not.toEqual([statement, undefined]);
        }
  });

  test('nor may the owner by mistake', async () => {
    for (const [table, column] of Object.entries({
      audit_events: 'actor',
      log_chunks: 'hash',
      log_ends: 'lines',
      log_reads: 'person',
    }))
      for (const statement of [
        `DELETE FROM ${table}`,
        `UPDATE ${table} SET ${column} = ${column}`,
        `TRUNCATE ${table}`,
      ]) {
        const error = await world.owner.query(statement).catch((refused: unknown) => refused);
        expect([statement, sqlStateOf(error)]).toEqual([statement, SQLSTATE.appendOnly]);
      }
  });
});

describe('races', () => {
  test('of two finishers of one attempt exactly one settles it', async () => {
    for (let round = 0; round < 20; round += 1) {
      const { job, attempt } = await runningTestAttempt(world);
      const lease = { attemptId: attempt.id, epoch: attempt.lease_epoch };
      const both = await Promise.all([
        settle(world.orchestrator, lease, ENDED, { job: 'retries', spendsAttempt: true, delaySeconds: 0 }),
        settle(world.orchestrator, lease, ENDED, { job: 'dies', spendsAttempt: true, reason: 'r', detail: 'd' }),
      ]);
      expect(both.filter((answer) => answer !== undefined)).toHaveLength(1);
      expect((await findJob(world.owner, job.id))?.attempts_spent).toBe(1);
    }
  });

  test('a manifest and a settle at the same moment never lose the delivery', async () => {
    for (let round = 0; round < 20; round += 1) {
      const { job, attempt } = await runningTestAttempt(world);
      const lease = { attemptId: attempt.id, epoch: attempt.lease_epoch };
      const [accepted] = await Promise.all([
        acceptManifest(world.api, job.id, 'folder').then(async (moved) => {
          if (moved) await recordFinalized(world.api, attempt.id);
          return moved;
        }),
        settle(world.orchestrator, lease, ENDED, { job: 'retries', spendsAttempt: true, delaySeconds: 0 }),
      ]);
      expect((await findJob(world.owner, job.id))?.state).toBe(accepted ? 'delivering' : 'enrolled');
    }
  });

  test('two orchestrators that start one job make one attempt', async () => {
    for (let round = 0; round < 20; round += 1) {
      const job = await enrolledTestJob(world);
      const both = await Promise.all([beginTestAttemptOf(world, job.id, 'a'), beginTestAttemptOf(world, job.id, 'b')]);
      expect(both.filter((answer) => answer !== undefined)).toHaveLength(1);
    }
  });

  test.each<[string, Partial<EngineCapacity>]>([
    ['slots', { slots: 3 }],
    ['memory', { memoryBytes: 3 * TEST_LIMITS.memoryBytes + 1 }],
    ['the launch gate', { launchesMax: 3 }],
  ])('%s: never given out twice, however many ask at once, and all of it comes back', async (_, capacity) => {
    const narrow = await makeTestDatabase();
    try {
      const narrowWorld = await makeWorld(narrow, capacity);
      await Promise.all(Array.from({ length: 12 }, () => enrolledTestJob(narrowWorld)));
      const started = await Promise.all(Array.from({ length: 12 }, () => beginTestAttempt(narrowWorld)));
      const begun = started.filter((attempt) => attempt !== undefined);
      expect(begun).toHaveLength(3);
      const [first, ...rest] = begun;
      if (!first) throw new Error('nothing began');
      const lease = { attemptId: first.id, epoch: first.lease_epoch };
      await recordContainer(narrowWorld.orchestrator, lease, 'container');
      await beginRunning(narrowWorld.orchestrator, lease);
      for (const attempt of [first, ...rest])
        await settle(narrowWorld.orchestrator, { attemptId: attempt.id, epoch: attempt.lease_epoch }, ENDED, {
          job: 'retries',
          spendsAttempt: false,
          delaySeconds: 60,
        });
      const { rows } = await narrowWorld.owner.query('SELECT slots_used, launching, memory_used FROM engines');
      expect(rows).toEqual([{ slots_used: 0, launching: 0, memory_used: 0 }]);
    } finally {
      await narrow.drop();
    }
  });

  test('a job that the engine could never hold keeps nobody waiting', async () => {
    const narrow = await makeTestDatabase();
    try {
      const narrowWorld = await makeWorld(narrow, { memoryBytes: TEST_LIMITS.memoryBytes });
      const big = await enrolledTestJob(narrowWorld);
      await narrowWorld.owner.query(`UPDATE jobs SET profile = 'large' WHERE id = $1`, [big.id]);
      const small = await enrolledTestJob(narrowWorld, 'other@shop.example');
      const begun = await beginNextAttempt(narrowWorld.orchestrator, {
        id: randomUUID(),
        engine: TEST_ENGINE,
        holder: 'holder',
        leaseSeconds: 30,
        profiles: { standard: TEST_LIMITS, large: { ...TEST_LIMITS, memoryBytes: 2 * TEST_LIMITS.memoryBytes } },
        image: `sha256:${'0'.repeat(64)}`,
      });
      expect(begun?.job_id).toBe(small.id);
    } finally {
      await narrow.drop();
    }
  });

  test('what was cancelled while it ran is not delivered any more', async () => {
    const { job, attempt } = await runningTestAttempt(world);
    expect(await inTransaction(world.owner, (client) => cancelJob(client, job.id, 'asked for'))).toBe('stopping');
    expect(await recordFinalized(world.api, attempt.id)).toBeUndefined();
    const late = world.api.query('UPDATE attempts SET finalized_at = now() WHERE id = $1', [attempt.id]);
    expect(sqlStateOf(await late.catch((error: unknown) => error))).toBe(SQLSTATE.illegalMove);
  });

  test('an engine in quarantine, or with its disk below the floor, is given nothing', async () => {
    const narrow = await makeTestDatabase();
    try {
      const { orchestrator, ...others } = await makeWorld(narrow, { diskFloorBytes: 1_000 });
      const narrowWorld = { orchestrator, ...others };
      await enrolledTestJob(narrowWorld);
      await recordDiskFree(orchestrator, TEST_ENGINE, 999);
      expect(await beginTestAttempt(narrowWorld)).toBeUndefined();
      await recordDiskFree(orchestrator, TEST_ENGINE, 1_000);
      expect(await quarantineEngine(orchestrator, TEST_ENGINE, 'silent')).toBe(true);
      expect(await quarantineEngine(orchestrator, TEST_ENGINE, 'silent')).toBe(false);
      expect(await beginTestAttempt(narrowWorld)).toBeUndefined();
      expect(await releaseEngine(orchestrator, TEST_ENGINE)).toBe(true);
      expect(await beginTestAttempt(narrowWorld)).toBeDefined();
    } finally {
      await narrow.drop();
    }
  });
});

describe('the queue is fair', () => {
  async function orderOfStarts(narrowWorld: World, count: number): Promise<string[]> {
    const starts: string[] = [];
    for (let i = 0; i < count; i += 1) {
      const attempt = await beginTestAttempt(narrowWorld);
      if (attempt) starts.push(attempt.job_id);
    }
    return starts;
  }

  test('a customer with 200 jobs delays a customer with one by at most two slots, whenever he comes', async () => {
    const narrow = await makeTestDatabase();
    try {
      const narrowWorld = await makeWorld(narrow);
      for (let i = 0; i < 200; i += 1) await enrolledTestJob(narrowWorld, 'many@shop.example');
      for (const started of [0, 7, 50]) {
        await orderOfStarts(narrowWorld, started);
        const single = await enrolledTestJob(narrowWorld, `one-${started}@shop.example`);
        const next = await orderOfStarts(narrowWorld, 3);
        expect([started, next.includes(single.id)]).toEqual([started, true]);
      }
    } finally {
      await narrow.drop();
    }
  });

  test('less urgent jobs stand behind and are not forgotten', async () => {
    const narrow = await makeTestDatabase();
    try {
      const narrowWorld = await makeWorld(narrow);
      const late = await enrolledTestJob(narrowWorld, 'late@shop.example', 1);
      const urgent = await enrolledTestJob(narrowWorld, 'urgent@shop.example', -1);
      for (let i = 0; i < 150; i += 1) await enrolledTestJob(narrowWorld, 'many@shop.example');
      const starts = await orderOfStarts(narrowWorld, 152);
      expect(starts[0]).toBe(urgent.id);
      expect(starts.indexOf(late.id)).toBeGreaterThan(50);
      expect(starts.indexOf(late.id)).toBeLessThan(110);
    } finally {
      await narrow.drop();
    }
  });
});

describe('cancelling', () => {
  const cancel = (id: string) => inTransaction(world.owner, (client) => cancelJob(client, id, 'asked for'));

  test.each<[JobState, 'dead' | 'stopping' | 'too_late']>([
    ['paid', 'dead'],
    ['enrolling', 'dead'],
    ['enrolled', 'dead'],
    ['attempting', 'stopping'],
    ['delivering', 'too_late'],
    ['completed', 'too_late'],
    ['dead', 'too_late'],
  ])('a job that is %s: %s', async (state, answer) => {
    const job = await testJobIn(world, state);
    expect(await cancel(job.id)).toBe(answer);
    const after = await findJob(world.owner, job.id);
    expect(after?.state).toBe(answer === 'dead' ? 'dead' : state);
  });

  test('at the same moment as its attempt settles: no deadlock, and one of both answers', async () => {
    for (let round = 0; round < 20; round += 1) {
      const { job, attempt } = await runningTestAttempt(world);
      const lease = { attemptId: attempt.id, epoch: attempt.lease_epoch };
      const [answer] = await Promise.all([
        cancel(job.id),
        settle(world.orchestrator, lease, ENDED, { job: 'retries', spendsAttempt: true, delaySeconds: 0 }),
      ]);
      expect(['dead', 'stopping']).toContain(answer);
    }
  });
});

test('a step that was postponed is due later, and nothing is due when nothing is open', async () => {
  const quiet = await makeTestDatabase();
  try {
    const quietWorld = await makeWorld(quiet);
    expect(await nextDueMs(quietWorld.orchestrator)).toBeUndefined();
    const job = await enrolledTestJob(quietWorld);
    // It waits for a slot: it is open, but no time will come at which it becomes due.
    expect(await nextDueMs(quietWorld.orchestrator)).toBeGreaterThan(3_600_000);
    await postponeStep(quietWorld.orchestrator, job.id, 'enrolled', 20);
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
  await postponeStep(world.orchestrator, postponed.id, 'paid', 0);
  await beginEnrol(world.orchestrator, taken.id, 30);
  const found = await due();
  expect([queued, forgotten, postponed, taken].map((job) => found.includes(job.id))).toEqual([
    false,
    true,
    true,
    false,
  ]);
});
