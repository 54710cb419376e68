/** What attempts used: written under the lease, read over the API, and what is suggested by it. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { settle, type AttemptRow } from '../../sql/attempts.ts';
import { findSamples, storeSamples, type SampledAttempt } from '../../sql/samples.ts';
import { runningTestAttempt } from '../../test/orders.ts';
import { startOperating, type Operating } from './test-operating.ts';

let operating: Operating;
beforeAll(async () => {
  operating = await startOperating();
});
afterAll(() => operating.api.stop());

const row = (attempt: AttemptRow, changes: Partial<SampledAttempt> = {}): SampledAttempt => ({
  attempt_id: attempt.id,
  epoch: attempt.lease_epoch,
  step_seconds: 10,
  at_seconds: [0, 10],
  memory_kib: [1_000, 2_000],
  cpu_milli: [null, 250],
  memory_peak_kib: 2_000,
  cpu_peak_milli: 250,
  ...changes,
});
const store = (...rows: SampledAttempt[]): Promise<void> => storeSamples(operating.world.orchestrator, rows);
const settleAs = (attempt: AttemptRow, outcome: string): Promise<unknown> =>
  settle(
    operating.world.orchestrator,
    { attemptId: attempt.id, epoch: attempt.lease_epoch },
    { outcome, detail: '', exitCode: 0, oomKilled: false, endMessage: undefined },
    { job: 'dies', spendsAttempt: true, reason: 'attempts_exhausted', detail: '' },
  );

test('what is stored is answered with the limits of the attempt, and the next look takes its place', async () => {
  const { job, attempt } = await runningTestAttempt(operating.world);
  const before = await operating.call('GET', `/v1/jobs/${job.id}/samples`);
  expect(before).toMatchObject({ status: 200, body: { attempt: 1, beganAt: null, stepSeconds: null, points: [] } });
  await store(row(attempt));
  await store(row(attempt, { memory_kib: [1_000, 3_000], memory_peak_kib: 3_000 }));
  const { status, body } = await operating.call('GET', `/v1/jobs/${job.id}/samples?attempt=1`, undefined, 'auditor');
  expect(status).toBe(200);
  expect(body).toMatchObject({
    profile: 'standard',
    memoryLimitBytes: 1024 * 1024,
    cpuLimitMilli: null,
    stepSeconds: 10,
    points: [
      { atSeconds: 0, memoryBytes: 1_024_000, cpuMilli: null },
      { atSeconds: 10, memoryBytes: 3_072_000, cpuMilli: 250 },
    ],
  });
  expect((await operating.call('GET', `/v1/jobs/${job.id}/samples?attempt=2`)).body).toMatchObject({
    code: 'attempt_unknown',
  });
  expect((await operating.call('GET', `/v1/jobs/${job.id}/samples`, undefined, 'shop')).status).toBe(403);
});

test('a writer whose lease has passed on stores nothing, nor anybody after the end; others of the batch are stored', async () => {
  const stale = (await runningTestAttempt(operating.world)).attempt;
  const settled = (await runningTestAttempt(operating.world)).attempt;
  const mine = (await runningTestAttempt(operating.world)).attempt;
  await settleAs(settled, 'bug');
  await store(row(stale, { epoch: stale.lease_epoch - 1 }), row(settled), row(mine));
  const found = await Promise.all([stale, settled, mine].map(({ id }) => findSamples(operating.api.pool, id)));
  expect(found.map((samples) => samples?.memory_kib)).toEqual([undefined, undefined, [1_000, 2_000]]);
});

test('an attempt that another has locked does not hold up the others', async () => {
  const locked = (await runningTestAttempt(operating.world)).attempt;
  const free = (await runningTestAttempt(operating.world)).attempt;
  const other = await operating.owner.connect();
  try {
    await other.query('BEGIN');
    await other.query('SELECT FROM attempts WHERE id = $1 FOR UPDATE', [locked.id]);
    await store(row(locked), row(free));
  } finally {
    await other.query('ROLLBACK');
    other.release();
  }
  expect(await findSamples(operating.api.pool, locked.id)).toBeUndefined();
  expect(await findSamples(operating.api.pool, free.id)).toBeDefined();
});

test('the table holds no more points than its limit, and only what belongs together', async () => {
  const { attempt } = await runningTestAttempt(operating.world);
  const long = (count: number): Partial<SampledAttempt> => ({
    at_seconds: Array.from({ length: count }, (_, i) => i),
    memory_kib: Array.from({ length: count }, () => 1),
    cpu_milli: Array.from({ length: count }, () => null),
  });
  await store(row(attempt, long(360)));
  await expect(store(row(attempt, long(361)))).rejects.toMatchObject({ code: '23514' });
  await expect(store(row(attempt, { memory_kib: [1] }))).rejects.toMatchObject({ code: '23514' });
});

test('no role but the orchestrator writes samples, and that one removes none', async () => {
  for (const role of ['lading_api', 'lading_auditor'] as const)
    await expect(
      operating.api.database.poolFor(role).query('UPDATE attempt_samples SET step_seconds = 1'),
    ).rejects.toMatchObject({ code: '42501' });
  await expect(operating.world.orchestrator.query('DELETE FROM attempt_samples')).rejects.toMatchObject({
    code: '42501',
  });
});

test('limits are suggested by the peaks of finished attempts, and by how many', async () => {
  const { owner } = operating;
  await owner.query('DELETE FROM attempt_samples');
  const attempts = [];
  for (let i = 0; i < 21; i += 1) attempts.push((await runningTestAttempt(operating.world)).attempt);
  await store(...attempts.map((attempt, i) => row(attempt, { memory_peak_kib: i * 1_000, cpu_peak_milli: 100 })));
  for (const attempt of attempts.slice(0, 20)) await settleAs(attempt, 'succeeded');
  const { body } = await operating.call('GET', '/v1/profiles/suggestions');
  expect(body).toMatchObject({
    days: 30,
    profiles: [
      {
        profile: 'standard',
        // The one that still runs is not among them.
        attempts: 20,
        outOfMemory: 0,
        memoryBytes: { limit: 1024 * 1024, p95: 18_000 * 1024, max: 19_000 * 1024, verdict: 'keep' },
        cpuMilli: { limit: null, p95: 100, max: 100 },
      },
    ],
  });
});
