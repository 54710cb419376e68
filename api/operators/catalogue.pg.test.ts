/** The catalogue over the API, the report of the targets, and the limits of every page. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { quarantineEngine, releaseEngine } from '../../sql/engines.ts';
import { cancelJob } from '../../test/moves.ts';
import { enrolledTestJob, TEST_ENGINE, testJobIn, makeWorld } from '../../test/orders.ts';
import { startTestApi, type TestApi } from '../test-setup.ts';
import { makeCall, type Call } from './test-keys.ts';
import { startOperating, type Operating } from './test-operating.ts';

let api: TestApi;
let call: Call;
let changesOf: Operating['changesOf'];
beforeAll(async () => {
  ({ api, call, changesOf } = await startOperating());
});
afterAll(() => api.stop());

const ENTRY = {
  title: 'A course',
  priceVnd: 10_000,
  provider: 'manifest',
  source: { manifestUrl: 'https://provider.example/manifest.json' },
  rights: { kind: 'own', evidence: `sha256:${'a'.repeat(64)}` },
};

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
