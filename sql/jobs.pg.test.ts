import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { makeTestDatabase, type TestDatabase } from '../test/database.ts';
import {
  beginTestAttempt,
  enrolledTestJob,
  makeWorld,
  runningTestAttempt,
  testJobIn,
  type World,
} from '../test/orders.ts';
import { recordFinalized, settle, type Verdict } from './attempts.ts';
import { recordGrant, recordMail } from './deliveries.ts';
import {
  acceptManifest,
  beginEnrol,
  bury,
  complete,
  confirmEnrol,
  findJob,
  JOB_STATES,
  nextDueMs,
  takeDelivery,
  type JobState,
} from './jobs.ts';
import { sqlStateOf, SQLSTATE } from './sqlstate.ts';

let database: TestDatabase;
let world: World;
beforeAll(async () => {
  database = await makeTestDatabase();
  world = await makeWorld(database, 500);
});
afterAll(() => database.drop());

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
  await recordGrant(world.orchestrator, jobId, { grantedTo: 'a@shop.example', permissionId: 'p' });
  await recordMail(world.orchestrator, jobId, { to: 'a@shop.example', subject: 's', messageId: `<${jobId}@lading>` });
  return complete(world.orchestrator, jobId);
}

/** Every move, and where it leads from each state it is legal in. All others must leave the job where it is. */
const MOVES: Record<string, { run: (id: string) => Promise<unknown>; leads: Partial<Record<JobState, JobState>> }> = {
  beginEnrol: {
    run: (id) => beginEnrol(world.orchestrator, id, 30),
    leads: { paid: 'enrolling', enrolling: 'enrolling' },
  },
  confirmEnrol: { run: (id) => confirmEnrol(world.orchestrator, id), leads: { enrolling: 'enrolled' } },
  beginAttempt: { run: (id) => beginTestAttempt(world, id), leads: { enrolled: 'attempting' } },
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
      for (const table of ['audit_events', 'log_chunks', 'log_ends'])
        for (const statement of [`DELETE FROM ${table}`, `UPDATE ${table} SET ctid = ctid`, `TRUNCATE ${table}`]) {
          const error = await pool.query(statement).catch((refused: unknown) => refused);
          expect([statement, sqlStateOf(error)]).not.toEqual([statement, undefined]);
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
      const both = await Promise.all([beginTestAttempt(world, job.id, 'a'), beginTestAttempt(world, job.id, 'b')]);
      expect(both.filter((answer) => answer !== undefined)).toHaveLength(1);
    }
  });

  test('slots are never given out twice, however many ask at once', async () => {
    const narrow = await makeTestDatabase();
    try {
      const narrowWorld = await makeWorld(narrow, 3);
      const jobs = await Promise.all(Array.from({ length: 12 }, () => enrolledTestJob(narrowWorld)));
      const started = await Promise.all(jobs.map((job) => beginTestAttempt(narrowWorld, job.id)));
      const running = started.filter((attempt) => attempt !== undefined);
      expect(running).toHaveLength(3);
      for (const attempt of running)
        await settle(narrowWorld.orchestrator, { attemptId: attempt.id, epoch: attempt.lease_epoch }, ENDED, {
          job: 'retries',
          spendsAttempt: false,
          delaySeconds: 60,
        });
      const { rows } = await narrowWorld.owner.query('SELECT slots_used FROM engines');
      expect(rows).toEqual([{ slots_used: 0 }]);
    } finally {
      await narrow.drop();
    }
  });
});

test('a step that was postponed is due later, and nothing is due when nothing is open', async () => {
  const quiet = await makeTestDatabase();
  try {
    const quietWorld = await makeWorld(quiet);
    expect(await nextDueMs(quietWorld.orchestrator)).toBeUndefined();
    const job = await enrolledTestJob(quietWorld);
    expect(await nextDueMs(quietWorld.orchestrator)).toBe(0);
    await bury(quietWorld.orchestrator, job.id, 'enrolled', 'r', 'd');
    expect(await nextDueMs(quietWorld.orchestrator)).toBeUndefined();
  } finally {
    await quiet.drop();
  }
});
