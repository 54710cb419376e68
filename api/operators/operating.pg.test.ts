/** What operators change over the API: it happens, once, and who, what, before and after stay on record. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { quarantineEngine, releaseEngine, roomOn } from '../../sql/engines.ts';
import { cancelJob, findJob } from '../../sql/jobs.ts';
import { operatorCancels } from '../../sql/operating.ts';
import { settle } from '../../sql/attempts.ts';
import type { Pool } from '../../sql/pool.ts';
import {
  beginTestAttempt,
  enrolledTestJob,
  makeWorld,
  runningTestAttempt,
  TEST_COURSE,
  TEST_ENGINE,
  testJobIn,
  type World,
} from '../../test/orders.ts';
import { startTestApi, type TestApi } from '../test-setup.ts';
import { makeCall, type Call } from './test-keys.ts';

let api: TestApi;
let world: World;
let owner: Pool;
let call: Call;
beforeAll(async () => {
  api = await startTestApi();
  world = await makeWorld(api.database);
  owner = world.owner;
  ({ call } = await makeCall(api));
});
afterAll(() => api.stop());
// What other tests left waiting would be begun first.
beforeEach(async () => {
  await owner.query(`UPDATE jobs SET next_task_at = 'infinity' WHERE state = 'enrolled'`);
});

const why = { reason: 'the customer called' };
async function changesOf(subject: string): Promise<object[]> {
  const { rows } = await api.auditor.query<object>(
    'SELECT k.name, c.action, c.before, c.after FROM changes c JOIN api_keys k ON k.id = c.key_id WHERE subject = $1 ORDER BY c.id',
    [subject],
  );
  return rows;
}
async function deadJob(reason = 'attempts_exhausted') {
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

describe('dead letters', () => {
  test('are listed by filter and page, shown before they are sent, and sent by the same filter, the oldest first', async () => {
    const jobs = [await deadJob('grant_failed'), await deadJob('grant_failed'), await deadJob('grant_failed')];
    const other = await deadJob('oom');
    const first = (await call('GET', '/v1/dead-letters?deadReason=grant_failed&limit=2')).body;
    expect(first['deadLetters']).toMatchObject([
      { id: jobs[2]?.id, attempts: [{ n: 1, outcome: 'app_temporary', exitCode: 75 }] },
      { id: jobs[1]?.id },
    ]);
    const rest = (await call('GET', `/v1/dead-letters?deadReason=grant_failed&cursor=${String(first['nextCursor'])}`))
      .body;
    expect(rest).toMatchObject({ deadLetters: [{ id: jobs[0]?.id }], nextCursor: null });

    const wish = { filter: { deadReason: 'grant_failed', courseId: TEST_COURSE }, reason: 'Drive is back', limit: 2 };
    const send = async (more: object) => (await call('POST', '/v1/dead-letters/redrive', { ...wish, ...more })).body;
    const [one, two] = jobs.map(({ id }) => id);
    expect(await send({ dryRun: true })).toMatchObject({
      jobs: [
        { id: one, result: 'would_be_redriven' },
        { id: two, result: 'would_be_redriven' },
      ],
      more: true,
    });
    expect((await findJob(owner, one ?? ''))?.state).toBe('dead');
    expect(await send({})).toMatchObject({ jobs: [{ id: one, result: 'redriven' }, { id: two }], more: true });
    expect(await send({})).toMatchObject({ jobs: [{ id: jobs[2]?.id }], more: false });
    expect(await send({})).toEqual({ jobs: [], more: false });
    expect((await findJob(owner, other.id))?.state).toBe('dead');
    expect(await changesOf(one ?? '')).toHaveLength(1);
  });

  test('what was cancelled, and perhaps refunded, is sent only by its own reason', async () => {
    const cancelled = await deadJob('cancelled');
    const sent = async (filter: object) => {
      const { body } = await call('POST', '/v1/dead-letters/redrive', { filter, reason: 'again', dryRun: true });
      return (body['jobs'] as { id: string }[]).map(({ id }) => id);
    };
    expect(await sent({ courseId: TEST_COURSE })).not.toContain(cancelled.id);
    expect(await sent({ deadReason: 'cancelled' })).toContain(cancelled.id);
  });

  test.each([
    {},
    { filter: {} },
    { filter: { deadReason: 'x'.repeat(101) } },
    { filter: { deadReason: 'oom' }, limit: 101 },
  ])('are not sent by %j', async (wish) => {
    expect((await call('POST', '/v1/dead-letters/redrive', { reason: 'x', ...wish })).status).toBe(422);
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

const ENTRY = {
  title: 'A course',
  priceVnd: 10_000,
  provider: 'manifest',
  source: { manifestUrl: 'https://provider.example/manifest.json' },
  rights: { kind: 'own', evidence: `sha256:${'a'.repeat(64)}` },
};

describe('a pause', () => {
  const isHeard = async (act: () => Promise<unknown>): Promise<boolean> => {
    const client = await owner.connect();
    try {
      let heard = false;
      client.on('notification', () => (heard = true));
      await client.query('LISTEN lading_jobs');
      await act();
      // What was notified before this answer is here with it.
      await client.query('SELECT 1');
      return heard;
    } finally {
      client.release(true);
    }
  };

  test('keeps every attempt from beginning, on every engine, until it is over; then whoever waits is told', async () => {
    const job = await enrolledTestJob(world);
    const { job: running } = { job: (await runningTestAttempt(world)).job };
    await owner.query('UPDATE jobs SET next_task_at = now() WHERE id = $1', [job.id]);
    const paused = await call('POST', '/v1/queue/pause', { reason: 'new disks' });
    expect(paused.body).toMatchObject({ pausedAt: expect.any(String) as unknown, reason: 'new disks' });
    // Again changes nothing, not even the moment.
    expect((await call('POST', '/v1/queue/pause', { reason: 'other' })).body).toEqual(paused.body);
    expect(await beginTestAttempt(world)).toBeUndefined();
    expect((await roomOn(world.orchestrator, TEST_ENGINE)).free).toBe(0);
    expect((await findJob(owner, running.id))?.state).toBe('attempting');
    expect(await isHeard(() => call('POST', '/v1/queue/resume'))).toBe(true);
    expect((await call('GET', '/v1/queue', undefined, 'auditor')).body).toMatchObject({ pausedAt: null, reason: null });
    expect((await beginTestAttempt(world))?.job_id).toBe(job.id);
    expect(await changesOf('queue')).toMatchObject([
      { action: 'queue pause', before: { pausedAt: null }, after: { reason: 'new disks' } },
      { action: 'queue resume', before: { reason: 'new disks' }, after: { reason: null } },
    ]);
  });

  test('of one engine is a drain', async () => {
    const job = await enrolledTestJob(world);
    const path = `/v1/engines/${TEST_ENGINE}`;
    expect((await call('POST', `${path}/drain`, { reason: 'reboot' })).body).toMatchObject({
      name: TEST_ENGINE,
      drainReason: 'reboot',
    });
    expect(await beginTestAttempt(world)).toBeUndefined();
    expect((await roomOn(world.orchestrator, TEST_ENGINE)).free).toBe(0);
    expect(await isHeard(() => call('POST', `${path}/undrain`))).toBe(true);
    expect((await beginTestAttempt(world))?.job_id).toBe(job.id);
    expect((await call('POST', '/v1/engines/nowhere/drain', { reason: 'x' })).body['code']).toBe('engine_unknown');
    expect(await changesOf(TEST_ENGINE)).toHaveLength(2);
  });
});

describe('the catalogue', () => {
  test('takes courses all or none, keeps rights that are there, and shows what cannot be ordered', async () => {
    const [alpha, beta] = [
      { ...ENTRY, id: 'alpha' },
      { ...ENTRY, id: 'beta', rights: undefined },
    ];
    expect((await call('PUT', '/v1/catalogue', { courses: [alpha, beta] })).body).toEqual({
      courses: [
        { id: 'alpha', rightsGiven: true },
        { id: 'beta', rightsGiven: false },
      ],
    });
    const wrong = await call('PUT', '/v1/catalogue', {
      courses: [
        { ...ENTRY, id: 'gamma' },
        { ...ENTRY, id: 'delta', priceVnd: 1 },
      ],
    });
    expect(wrong).toMatchObject({ status: 422, body: { errors: [{ field: 'courses.1.priceVnd' }] } });
    await call('PUT', '/v1/catalogue', {
      courses: [{ ...alpha, rights: undefined, title: 'Another title', listed: false }],
    });
    const page = (await call('GET', '/v1/catalogue?limit=2', undefined, 'auditor')).body;
    expect(page).toMatchObject({
      courses: [
        {
          id: 'alpha',
          title: 'Another title',
          rights: { kind: 'own', recordedBy: 'the operator' },
          listed: false,
          orderable: false,
        },
        { id: 'beta', rights: null, orderable: false },
      ],
      more: true,
    });
    expect(JSON.stringify((await call('GET', '/v1/catalogue?after=beta')).body)).not.toMatch(/"(alpha|gamma|delta)"/);
    expect(await changesOf('alpha')).toMatchObject([
      { action: 'course put', before: null, after: { title: 'A course' } },
      { before: { title: 'A course' }, after: { title: 'Another title', rights: { kind: 'own' } } },
    ]);
  });

  test('takes no more than 100 courses and 512 KiB at once, and is for operators', async () => {
    const many = (count: number) => ({
      courses: Array.from({ length: count }, (_, i) => ({ ...ENTRY, id: `many-${i}` })),
    });
    expect((await call('PUT', '/v1/catalogue', many(100))).status).toBe(200);
    expect((await call('PUT', '/v1/catalogue', many(101))).status).toBe(422);
    const large = await call('PUT', '/v1/catalogue', { courses: [], pad: 'x'.repeat(512 * 1024) });
    expect(large.body['code']).toBe('body_too_large');
    for (const role of ['auditor', 'shop'] as const)
      expect((await call('PUT', '/v1/catalogue', many(1), role)).status).toBe(403);
  });
});

test('a report says for each target what was reached, and that nothing was measured where nothing was', async () => {
  const own = await startTestApi();
  try {
    const { call: ask } = await makeCall(own);
    const targetsOf = async (hours: number) => {
      const report = (await ask('GET', `/v1/slo?hours=${hours}`, undefined, 'auditor')).body;
      const targets = report['targets'] as { name: string; actual: number | null; holds: boolean | null }[];
      return Object.fromEntries(targets.map(({ name, actual, holds }) => [name, [actual, holds]]));
    };
    const nothing = [null, null];
    expect(await targetsOf(1)).toEqual({
      processing_mean: nothing,
      uptime: nothing,
      failed: nothing,
      queue_wait: nothing,
      retry_success: nothing,
    });

    const there = await makeWorld(own.database);
    const completed = await testJobIn(there, 'completed');
    const again = await testJobIn(there, 'completed');
    await testJobIn(there, 'dead');
    const cancelled = await enrolledTestJob(there);
    await cancelJob(there.owner, cancelled.id, 'x');
    // Two hours from payment to delivery for one, ten minutes for the other; nobody waited longer than those ten.
    await there.owner.query(`UPDATE jobs SET created_at = updated_at - interval '2 hours' WHERE id = $1`, [
      completed.id,
    ]);
    await there.owner.query(
      `UPDATE jobs SET created_at = updated_at - interval '10 minutes', attempts_started = 2 WHERE id = $1`,
      [again.id],
    );
    await quarantineEngine(there.orchestrator, TEST_ENGINE, 'silent');
    await there.owner.query(`UPDATE engine_outages SET began_at = now() - interval '6 minutes'`);
    await releaseEngine(there.orchestrator, TEST_ENGINE);
    const reached = await targetsOf(1);
    expect(reached['processing_mean']).toEqual([expect.closeTo(65, 0), true]);
    expect(reached['uptime']).toEqual([expect.closeTo(90, 0), false]);
    expect(reached['failed']).toEqual([expect.closeTo(100 / 3, 5), false]);
    expect(reached['retry_success']).toEqual([100, true]);
    expect(reached['queue_wait']?.[0]).toBeGreaterThan(5);
    // A second engine that answered all the while: somebody was always there.
    await there.orchestrator.query(
      `INSERT INTO engines (name, slots, launches_max, memory_bytes) VALUES ('second', 1, 1, 1)`,
    );
    expect((await targetsOf(1))['uptime']).toEqual([100, true]);
    for (const hours of ['0', '8785', 'x']) expect((await ask('GET', `/v1/slo?hours=${hours}`)).status).toBe(422);
  } finally {
    await own.stop();
  }
});

test('no page is longer than 100, and no filter longer than it may be', async () => {
  for (const path of [
    '/v1/jobs',
    '/v1/orders',
    '/v1/dead-letters',
    '/v1/payments/inbox',
    '/v1/changes',
    '/v1/catalogue',
  ]) {
    expect((await call('GET', `${path}?limit=100`)).status).toBe(200);
    for (const limit of ['0', '101', '-1', '1e9'])
      expect((await call('GET', `${path}?limit=${limit}`)).status).toBe(422);
    if (path !== '/v1/catalogue') expect((await call('GET', `${path}?cursor=${'a'.repeat(201)}`)).status).toBe(422);
  }
  expect((await call('GET', `/v1/jobs?courseId=${'a'.repeat(64)}`)).status).toBe(422);
  expect((await call('GET', `/v1/orders?email=${'a'.repeat(321)}`)).status).toBe(422);
});
