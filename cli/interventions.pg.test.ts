import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { settle } from '../sql/attempts.ts';
import { findJob, type JobRow } from '../sql/jobs.ts';
import { makeTestDatabase, type TestDatabase } from '../test/database.ts';
import { enrolledTestJob, makeWorld, runningTestAttempt, testJobIn, type World } from '../test/orders.ts';
import { makeTestCommand, TEST_OPERATOR, type Answer, type TestCommand } from './test-command.ts';

let database: TestDatabase;
let world: World;
let command: TestCommand;
beforeAll(async () => {
  database = await makeTestDatabase();
  world = await makeWorld(database);
  command = makeTestCommand(database);
});
afterAll(async () => {
  command.remove();
  await database.drop();
});

const asOwner = (...args: string[]): Promise<Answer> => command.run(args, 'lading_owner');
async function codeOf(job: JobRow): Promise<string> {
  const { rows } = await world.owner.query<{ code: string }>('SELECT code FROM orders WHERE id = $1', [job.order_id]);
  return rows[0]?.code ?? '';
}
async function deadJob(reason = 'attempts_exhausted'): Promise<JobRow> {
  const { job, attempt } = await runningTestAttempt(world);
  await settle(
    world.orchestrator,
    { attemptId: attempt.id, epoch: attempt.lease_epoch },
    { outcome: 'app_temporary', detail: 'the last words', exitCode: 75, oomKilled: false, endMessage: undefined },
    { job: 'dies', spendsAttempt: true, reason, detail: 'after 3 attempts' },
  );
  return job;
}

describe('cancel', () => {
  test('ends a job that waits, and keeps who did it and why', async () => {
    const job = await enrolledTestJob(world);
    expect(await asOwner('cancel', await codeOf(job), '--reason', 'ordered twice')).toEqual({
      code: 0,
      stdout: 'dead\n',
      stderr: '',
    });
    expect(await command.json(['jobs', 'show', job.id])).toMatchObject({
      job: { state: 'dead', dead_reason: 'cancelled', dead_detail: `${TEST_OPERATOR}: ordered twice` },
    });
  });

  test('stops one that runs, and the reason is still there when it has ended', async () => {
    const { job, attempt } = await runningTestAttempt(world);
    expect((await asOwner('cancel', job.id, '--reason', 'ordered twice')).stdout).toBe('stopping\n');
    await settle(
      world.orchestrator,
      { attemptId: attempt.id, epoch: attempt.lease_epoch },
      { outcome: 'cancelled', detail: 'exit 143', exitCode: 143, oomKilled: false, endMessage: undefined },
      { job: 'dies', spendsAttempt: true, reason: 'cancelled', detail: 'cancelled: exit 143' },
    );
    const why = `${TEST_OPERATOR}: ordered twice`;
    expect(await command.json(['jobs', 'show', job.id])).toMatchObject({
      job: { state: 'dead', dead_reason: 'cancelled', dead_detail: `${why}; cancelled: exit 143` },
      attempts: [{ stop_reason: 'cancelled', stop_detail: why, detail: `${why}; exit 143` }],
    });
    const { rows } = await world.owner.query<{ actor: string; detail: object }>(
      `SELECT detail FROM audit_events WHERE subject_id = $1 AND detail ->> 'stop_reason' = 'cancelled' ORDER BY id`,
      [attempt.id],
    );
    expect(rows[0]?.detail).toMatchObject({ stop_detail: why });
  });

  test('wins over a stop for another reason, after which the job would run again', async () => {
    const { job, attempt } = await runningTestAttempt(world);
    await world.owner.query(`UPDATE attempts SET stop_reason = 'deadline' WHERE id = $1`, [attempt.id]);
    expect((await asOwner('cancel', job.id, '--reason', 'x')).stdout).toBe('stopping\n');
    expect(await command.json(['jobs', 'show', job.id])).toMatchObject({ attempts: [{ stop_reason: 'cancelled' }] });
  });

  test('comes too late for a job that is being delivered, and says so', async () => {
    const job = await testJobIn(world, 'delivering');
    expect(await asOwner('cancel', job.id, '--reason', 'x')).toMatchObject({ code: 1, stdout: 'too_late\n' });
  });

  test('wants a reason, a job that is there, and the right to do it', async () => {
    const job = await enrolledTestJob(world);
    expect(await asOwner('cancel', job.id)).toMatchObject({ code: 1, stderr: expect.stringMatching(/--reason/) });
    expect(await asOwner('cancel', 'LD2222222222', '--reason', 'x')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/LD2222222222/),
    });
    expect(await command.run(['cancel', job.id, '--reason', 'x'])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/denied/),
    });
    expect((await findJob(world.owner, job.id))?.state).toBe('enrolled');
  });
});

describe('redrive', () => {
  test('sends dead jobs on their way again, whatever they are called', async () => {
    const [one, two] = [await deadJob(), await deadJob()];
    const { code, stdout } = await asOwner(
      'jobs',
      'redrive',
      one.id,
      await codeOf(two),
      '--reason',
      'provider is back',
    );
    expect(code).toBe(0);
    expect(stdout.match(/ redriven$/gm)).toHaveLength(2);
    for (const job of [one, two]) {
      expect(await command.json(['jobs', 'show', job.id])).toMatchObject({
        job: {
          state: 'paid',
          attempts_started: 1,
          attempts_spent: 0,
          redrives: 1,
          redrive_reason: `${TEST_OPERATOR}: provider is back`,
        },
        attempts: [{ n: 1, outcome: 'app_temporary' }],
      });
      const { rows } = await world.orchestrator.query('SELECT FROM graphile_worker.jobs WHERE key = $1', [
        `enrol:${job.id}`,
      ]);
      expect(rows).toHaveLength(1);
    }
  });

  test('only what is dead: the answer tells, and ends with 1', async () => {
    const [dead, waiting] = [await deadJob(), await enrolledTestJob(world)];
    const { code, stdout } = await asOwner('jobs', 'redrive', dead.id, waiting.id);
    expect([code, stdout]).toEqual([1, expect.stringMatching(/not_dead/)]);
    expect((await findJob(world.owner, waiting.id))?.state).toBe('enrolled');
    expect((await findJob(world.owner, dead.id))?.state).toBe('paid');
  });

  test('all that died for one reason, after a look at which', async () => {
    const [one, two, other] = [await deadJob('infrastructure'), await deadJob('infrastructure'), await deadJob('oom')];
    const bulk = ['jobs', 'redrive', '--all', '--reason-is', 'infrastructure', '--json'];
    const answered = async (args: string[]) =>
      (JSON.parse((await asOwner(...args)).stdout) as { job_id: string; answer: string }[]).map(
        ({ job_id, answer }) => [job_id, answer],
      );
    expect(await answered([...bulk, '--dry-run'])).toEqual([
      [one.id, 'would_be_redriven'],
      [two.id, 'would_be_redriven'],
    ]);
    expect((await findJob(world.owner, one.id))?.state).toBe('dead');
    expect(await answered(bulk)).toEqual([
      [one.id, 'redriven'],
      [two.id, 'redriven'],
    ]);
    expect(await answered(bulk)).toEqual([]);
    expect((await findJob(world.owner, other.id))?.state).toBe('dead');
  });

  test.each([[['--all']], [['--reason-is', 'oom']], [['x', '--all', '--reason-is', 'oom']], [[]]])(
    'refuses %j, which does not say which jobs',
    async (args) => {
      expect(await asOwner('jobs', 'redrive', ...args)).toMatchObject({
        code: 1,
        stderr: expect.stringMatching(/name the jobs/),
      });
    },
  );

  test('a misspelt name changes nothing, and an auditor may not', async () => {
    const dead = await deadJob();
    expect((await asOwner('jobs', 'redrive', dead.id, 'LD2222222222')).code).toBe(1);
    expect(await command.run(['jobs', 'redrive', dead.id])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/denied/),
    });
    expect((await findJob(world.owner, dead.id))?.state).toBe('dead');
  });
});
