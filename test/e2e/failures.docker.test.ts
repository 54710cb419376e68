/** Courses that cannot be delivered end with a cause an operator can read, and nothing is left on the engine. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startEngineProxy } from './engine-proxy.ts';
import { attemptsOf, containersOf, DOCKER_HOST, eventually, runningAttempt, startE2e, type E2e } from './world.ts';

let e2e: E2e;
beforeAll(async () => {
  e2e = await startE2e({ profiles: { hurried: { deadlineSeconds: 2, graceSeconds: 1 } } });
  for (const id of ['always-503', 'protected', 'unmarked', 'denied', 'bad-checksum', 'tiny']) await e2e.putCourse(id);
  await e2e.putCourse('slow', 'hurried');
}, 60_000);
afterAll(() => e2e.stop(), 60_000);

async function buyAndWait(course: string, wanted: string, limitMs = 120_000) {
  const order = await e2e.customer.order(course, 'customer@shop.example');
  await e2e.customer.pay(order);
  const seen = await e2e.customer.waitFor(order, ['completed', 'failed'], limitMs);
  expect([course, seen.status]).toEqual([course, wanted]);
  const attempts = await attemptsOf(e2e.pool, order.code);
  return { order, seen, attempts };
}

async function cli(...args: string[]): Promise<string> {
  return e2e.lading('auditor', ...args);
}

test('a provider that always answers 503 ends in the dead letter after 3 attempts, each with its logs and cause', async () => {
  const { order, seen, attempts } = await buyAndWait('always-503', 'failed', 150_000);
  expect(seen.failure?.reason).toBe('attempts_exhausted');
  expect(attempts.map((attempt) => [attempt.n, attempt.outcome, attempt.exit_code])).toEqual([
    [1, 'app_temporary', 69],
    [2, 'app_temporary', 69],
    [3, 'app_temporary', 69],
  ]);
  expect(new Set(attempts.map((attempt) => attempt.container_id)).size).toBe(3);
  for (const attempt of attempts) {
    expect(attempt.detail).toContain('provider_unavailable');
    expect(await cli('logs', order.code, '--attempt', String(attempt.n))).toContain('503');
  }
  expect(await cli('dead-letters')).toContain(order.code);
  await eventually('its containers are gone', 20_000, async () =>
    (await containersOf(e2e.pool, order.code)).length === 0 ? true : undefined,
  );
}, 180_000);

test.each([
  ['protected', 'protected_content', 65],
  ['unmarked', 'protected_content', 65],
])('the %s course is refused at once and for good', async (course, reason, exitCode) => {
  const { seen, attempts } = await buyAndWait(course, 'failed');
  expect(seen.failure?.reason).toBe(reason);
  expect(attempts.map((attempt) => [attempt.outcome, attempt.exit_code])).toEqual([[reason, exitCode]]);
});

test('an account without access is not_enrolled, and no container is made', async () => {
  const { seen, attempts } = await buyAndWait('denied', 'failed');
  expect(seen.failure?.reason).toBe('not_enrolled');
  expect(attempts).toEqual([]);
});

test('bytes that never fit their checksum are never delivered', async () => {
  const { attempts, seen } = await buyAndWait('bad-checksum', 'failed');
  expect(seen.failure?.reason).toBe('attempts_exhausted');
  expect(attempts.every((attempt) => attempt.detail?.includes('checksum_mismatch'))).toBe(true);
});

test('an attempt past its deadline is stopped, and the reason is ours', async () => {
  const order = await e2e.customer.order('slow', 'customer@shop.example');
  await e2e.customer.pay(order);
  await runningAttempt(e2e.pool, order.code);
  const first = await eventually(
    'the first attempt is settled',
    30_000,
    async () =>
      (await attemptsOf(e2e.pool, order.code)).find((attempt) => attempt.n === 1 && attempt.state === 'settled'),
    () => attemptsOf(e2e.pool, order.code),
  );
  expect(first.outcome).toBe('deadline');
  expect((await e2e.customer.waitFor(order, ['failed'], 60_000)).failure?.reason).toBe('attempts_exhausted');
}, 120_000);

test('a daemon that makes the container otherwise than asked gets no secret', async () => {
  let lying = false;
  const proxy = await startEngineProxy(DOCKER_HOST, (chunk) =>
    lying
      ? Buffer.from(chunk.toString('latin1').replace('"ReadonlyRootfs":true', '"ReadonlyRootfs":null'), 'latin1')
      : chunk,
  );
  const lied = await startE2e({ dockerHost: proxy.dockerHost, env: { orchestrator: { STANDBY: '0' } } });
  lying = true;
  try {
    await lied.putCourse('tiny');
    const order = await lied.customer.order('tiny', 'customer@shop.example');
    await lied.customer.pay(order);
    const first = await eventually(
      'the first attempt is settled',
      30_000,
      async () => (await attemptsOf(lied.pool, order.code)).find((attempt) => attempt.state === 'settled'),
      () => attemptsOf(lied.pool, order.code),
    );
    expect(first.outcome).toBe('hardening_mismatch');
    expect(first.detail).toContain('ReadonlyRootfs');
    expect(first.detail).toContain('root file system is writable');
    await expect(lied.system.startOrchestrator('orchestrator-2')).rejects.toThrow(/SelfTestError.*ReadonlyRootfs/s);
    const attaches = proxy.sent().filter((bytes) => bytes.toString('latin1').includes('/attach?'));
    expect(attaches.length).toBeGreaterThan(0);
    expect(attaches.some((bytes) => bytes.includes('LADING1'))).toBe(false);
  } finally {
    await lied.stop();
    await proxy.stop();
  }
}, 120_000);
