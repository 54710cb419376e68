/** What operators do to a job: it happens, once, and who, what, before and after stay on record. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { settle } from '../../sql/attempts.ts';
import { cancelJob } from '../../test/moves.ts';
import { findJob } from '../../sql/jobs.ts';
import { operatorCancels } from '../../sql/operating.ts';
import {
  beginTestAttempt,
  enrolledTestJob,
  runningTestAttempt,
  TEST_COURSE,
  testJobIn,
  type World,
} from '../../test/orders.ts';
import type { Pool } from '../../sql/pool.ts';
import type { TestApi } from '../test-setup.ts';
import type { Call } from './test-keys.ts';
import { startOperating, why, type Operating } from './test-operating.ts';

let api: TestApi;
let world: World;
let owner: Pool;
let call: Call;
let changesOf: Operating['changesOf'];
let deadJob: Operating['deadJob'];
let leaveNothingWaiting: Operating['leaveNothingWaiting'];
beforeAll(async () => {
  ({ api, world, owner, call, changesOf, deadJob, leaveNothingWaiting } = await startOperating());
});
afterAll(() => api.stop());
beforeEach(() => leaveNothingWaiting());

describe('cancel', () => {
  test('ends a job that waits, stops one that runs, and comes too late for one that is delivered', async () => {
    const waiting = await enrolledTestJob(world);
    expect((await call('POST', `/v1/jobs/${waiting.id}/cancel`, why)).body).toEqual({ id: waiting.id, result: 'dead' });
    expect((await call('GET', `/v1/jobs/${waiting.id}`)).body).toMatchObject({
      state: 'dead',
      deadReason: 'cancelled',
      deadDetail: 'the operator: the customer called',
    });
    const { job } = await runningTestAttempt(world);
    expect((await call('POST', `/v1/jobs/${job.id}/cancel`, why)).body).toEqual({ id: job.id, result: 'stopping' });
    expect(await changesOf(job.id)).toMatchObject([
      {
        name: 'the operator',
        action: 'job cancel',
        before: { state: 'attempting', stopReason: null },
        after: { state: 'attempting', stopReason: 'cancelled', because: why.reason },
      },
    ]);
    const delivering = await testJobIn(world, 'delivering');
    expect(await call('POST', `/v1/jobs/${delivering.id}/cancel`, why)).toMatchObject({
      status: 409,
      body: { code: 'job_not_cancellable' },
    });
    expect(await changesOf(delivering.id)).toEqual([]);
    expect((await call('POST', `/v1/jobs/${randomUUID()}/cancel`, why)).body['code']).toBe('job_unknown');
  });

  test.each([{}, { reason: '' }, { reason: 'x'.repeat(1_001) }, { reason: 'a\0b' }, { ...why, more: 1 }])(
    'wants a reason: %j is none',
    async (body) => {
      const job = await enrolledTestJob(world);
      expect((await call('POST', `/v1/jobs/${job.id}/cancel`, body)).status).toBe(422);
      expect((await findJob(owner, job.id))?.state).toBe('enrolled');
    },
  );

  test('is for operators, by the word of the database too', async () => {
    const job = await enrolledTestJob(world);
    for (const role of ['auditor', 'shop'] as const)
      expect((await call('POST', `/v1/jobs/${job.id}/cancel`, why, role)).status).toBe(403);
    const { rows } = await owner.query<{ id: string }>(`SELECT id FROM api_keys WHERE role = 'auditor'`);
    const act = { keyId: rows[0]?.id ?? '', requestId: randomUUID() };
    await expect(operatorCancels(api.pool, act, job.id, 'x')).rejects.toMatchObject({ code: 'LD004' });
    await expect(cancelJob(api.pool, job.id, 'x')).rejects.toMatchObject({ code: '42501' });
    await expect(
      api.pool.query(`UPDATE jobs SET state = 'dead', dead_reason = 'x' WHERE id = $1`, [job.id]),
    ).rejects.toMatchObject({ code: '42501' });
    expect((await findJob(owner, job.id))?.state).toBe('enrolled');
  });
});

describe('many at once', () => {
  test('retry one job: one does it, with one task and one change', async () => {
    const job = await deadJob();
    const answers = await Promise.all(Array.from({ length: 10 }, () => call('POST', `/v1/jobs/${job.id}/retry`, why)));
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, ...Array<number>(9).fill(409)]);
    expect(await changesOf(job.id)).toHaveLength(1);
  });

  test('cancel one job that runs: all are told it is stopping, and nothing waits for anything else for ever', async () => {
    const { job, attempt } = await runningTestAttempt(world);
    const cancels = Array.from({ length: 10 }, () => call('POST', `/v1/jobs/${job.id}/cancel`, why));
    const settled = settle(
      world.orchestrator,
      { attemptId: attempt.id, epoch: attempt.lease_epoch },
      { outcome: 'app_temporary', detail: 'x', exitCode: 75, oomKilled: false, endMessage: undefined },
      { job: 'retries', spendsAttempt: true, delaySeconds: 0 },
    );
    const answers = await Promise.all(cancels);
    await settled;
    // Before the attempt was settled it is stopped, afterwards the waiting job dies; later it is too late.
    for (const { status } of answers) expect([200, 409]).toContain(status);
    expect((await findJob(owner, job.id))?.state).toMatch(/^(dead|enrolled)$/);
    expect(await changesOf(job.id)).toHaveLength(answers.filter(({ status }) => status === 200).length);
  });
});

describe('retry', () => {
  test('sends a dead job on its way again with its first task, and nothing else', async () => {
    const job = await deadJob();
    expect((await call('POST', `/v1/jobs/${job.id}/retry`, why)).body).toEqual({ id: job.id, result: 'redriven' });
    expect((await call('GET', `/v1/jobs/${job.id}`)).body).toMatchObject({
      state: 'paid',
      redrives: 1,
      redriveReason: 'the operator: the customer called',
      attemptsSpent: 0,
      attemptList: [{ n: 1, outcome: 'app_temporary' }],
    });
    const { rows } = await world.orchestrator.query('SELECT FROM graphile_worker.jobs WHERE key = $1', [
      `enrol:${job.id}`,
    ]);
    expect(rows).toHaveLength(1);
    expect(await call('POST', `/v1/jobs/${job.id}/retry`, why)).toMatchObject({
      status: 409,
      body: { code: 'job_not_dead' },
    });
    expect(await changesOf(job.id)).toMatchObject([
      { before: { state: 'dead' }, after: { state: 'paid', redrives: 1 } },
    ]);
  });

  test('of a job whose last container has not ended is refused', async () => {
    const { job } = await runningTestAttempt(world);
    await owner.query(`UPDATE jobs SET state = 'dead', dead_reason = 'test' WHERE id = $1`, [job.id]);
    expect((await call('POST', `/v1/jobs/${job.id}/retry`, why)).body['code']).toBe('job_still_running');
  });
});

describe('priority', () => {
  test('says who is taken next, and nothing else of the queue moves', async () => {
    const jobs = [];
    for (const who of ['a', 'b', 'c', 'd']) jobs.push(await enrolledTestJob(world, `${who}@priority.example`));
    const [a, b, c, d] = jobs.map(({ id }) => id);
    expect((await call('PUT', `/v1/jobs/${c}/priority`, { priority: -1 })).body).toEqual({ id: c, priority: -1 });
    await call('PUT', `/v1/jobs/${a}/priority`, { priority: 1 });
    await call('PUT', `/v1/jobs/${d}/priority`, { priority: 5 });
    await call('PUT', `/v1/jobs/${d}/priority`, { priority: 0 });
    const taken = [];
    for (const _ of jobs) taken.push((await beginTestAttempt(world))?.job_id);
    expect(taken).toEqual([c, b, d, a]);
    expect(await changesOf(c ?? '')).toMatchObject([{ before: { priority: 0 }, after: { priority: -1 } }]);
  });

  test('of a course is what its jobs begin with', async () => {
    const first = await enrolledTestJob(world, 'first@priority.example');
    await owner.query('UPDATE courses SET priority = -3 WHERE id = $1', [TEST_COURSE]);
    const urgent = await enrolledTestJob(world, 'urgent@priority.example');
    await owner.query('UPDATE courses SET priority = 0 WHERE id = $1', [TEST_COURSE]);
    expect((await call('GET', `/v1/jobs/${urgent.id}`)).body).toMatchObject({ priority: -3 });
    expect([(await beginTestAttempt(world))?.job_id, (await beginTestAttempt(world))?.job_id]).toEqual([
      urgent.id,
      first.id,
    ]);
  });

  test('is between -10 and 10, and for jobs that have a place to come', async () => {
    const job = await enrolledTestJob(world);
    for (const priority of [-11, 11, 0.5, '1'])
      expect((await call('PUT', `/v1/jobs/${job.id}/priority`, { priority })).status).toBe(422);
    const dead = await deadJob();
    expect((await call('PUT', `/v1/jobs/${dead.id}/priority`, { priority: 1 })).body['code']).toBe('job_not_queued');
  });
});
