import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { makeTestDatabase, type TestDatabase } from '../test/database.ts';
import {
  beginTestAttemptOf,
  enrolledTestJob,
  heldStep,
  makeWorld,
  runningTestAttempt,
  testJobIn,
  type World,
} from '../test/orders.ts';
import { recordFinalized, settle, type Verdict } from './attempts.ts';
import { recordGrant, recordMail } from './deliveries.ts';
import { acceptManifest, findJob, JOB_STATES, type JobState } from './jobs.ts';
import { bury, cancelJob } from '../test/moves.ts';
import { inTransaction } from './pool.ts';
import { beginEnrol, complete, confirmEnrol, takeDelivery } from './steps.ts';
import { redriveJob } from '../test/moves.ts';
import { withdrawManifest } from './false-manifest.ts';
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
  return complete(world.orchestrator, await heldStep(world.orchestrator, jobId));
}

const withdraw = async (id: string) =>
  withdrawManifest(world.orchestrator, await heldStep(world.orchestrator, id), RETRIES, 'false');

/** Every move, and where it leads from each state it is legal in. All others must leave the job where it is. */
const MOVES: Record<string, { run: (id: string) => Promise<unknown>; leads: Partial<Record<JobState, JobState>> }> = {
  beginEnrol: {
    run: (id) => beginEnrol(world.orchestrator, id, 30),
    leads: { paid: 'enrolling', enrolling: 'enrolling' },
  },
  confirmEnrol: {
    run: async (id) => confirmEnrol(world.orchestrator, await heldStep(world.orchestrator, id)),
    leads: { enrolling: 'enrolled' },
  },
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
        expect(await withdraw(id)).toBeUndefined();
        await settleOpenAttempt(id, { job: 'stays' });
      }
      return withdraw(id);
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

  test('what was cancelled while it ran is not delivered any more', async () => {
    const { job, attempt } = await runningTestAttempt(world);
    expect(await inTransaction(world.owner, (client) => cancelJob(client, job.id, 'asked for'))).toBe('stopping');
    expect(await recordFinalized(world.api, attempt.id)).toBeUndefined();
    const late = world.api.query('UPDATE attempts SET finalized_at = now() WHERE id = $1', [attempt.id]);
    expect(sqlStateOf(await late.catch((error: unknown) => error))).toBe(SQLSTATE.illegalMove);
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

  test('at the same moment as its attempt begins: no deadlock, and it is dead or being stopped', async () => {
    for (let round = 0; round < 20; round += 1) {
      const job = await enrolledTestJob(world);
      const [answer] = await Promise.all([cancel(job.id), beginTestAttemptOf(world, job.id)]);
      expect(['dead', 'stopping']).toContain(answer);
    }
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
