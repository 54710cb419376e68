/** An orchestrator that was frozen, one whose clock is wrong, and a rolling restart under load. */
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Agent, fetch as undiciFetch } from 'undici';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { attemptsOf, containersOf, type E2e, eventually, runningAttempt, settledAttempts, startE2e } from './world.ts';

/** Two minutes in the long run; long enough for the others to take over in any case. */
const FREEZE_MS = process.env['LADING_TEST_ALL'] ? 120_000 : 12_000;
const LEASE_SECONDS = 4;

let e2e: E2e;
beforeAll(async () => {
  e2e = await startE2e({ orchestrators: 2, leaseSeconds: LEASE_SECONDS, slots: 4 });
  await e2e.putCourse('slow');
  await e2e.putCourse('tiny');
}, 60_000);
afterAll(() => e2e.stop(), 60_000);

const metricsOf = async (name: string): Promise<string> =>
  (await fetch(`${e2e.system.processes.get(name)?.listening['url']}/metrics`)).text();
const metric = (text: string, name: string): number =>
  Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1] ?? Number.NaN);

function providerFaults() {
  const dispatcher = new Agent({ connect: { ca: e2e.system.caPem } });
  const url = `${e2e.system.providerUrl}/sandbox/faults`;
  return {
    add: async (fault: object): Promise<void> => {
      const answer = await undiciFetch(url, { method: 'POST', body: JSON.stringify(fault), dispatcher });
      if (!answer.ok) throw new Error(`no fault: ${answer.status}`);
    },
    left: async (): Promise<number> => ((await (await undiciFetch(url, { dispatcher })).json()) as unknown[]).length,
  };
}

const holderOf = (lease: string): string => {
  const one = [...e2e.system.processes.values()].find((process) => process.listening['holder'] === lease);
  if (!one) throw new Error(`nobody is ${lease}`);
  return one.name;
};

test('a frozen orchestrator settles nothing it no longer owns', async () => {
  const order = await e2e.customer.order('slow', 'customer@shop.example');
  await e2e.customer.pay(order);
  const running = await runningAttempt(e2e.pool, order.code);
  const frozen = holderOf(running.lease_holder);
  e2e.system.processes.get(frozen)?.signal('SIGSTOP');
  const frozenAt = Date.now();
  try {
    await eventually(
      'another adopts the attempt',
      10_000,
      async () =>
        (await attemptsOf(e2e.pool, order.code))[0]?.lease_holder !== running.lease_holder ? true : undefined,
      () => attemptsOf(e2e.pool, order.code),
    );
    await sleep(Math.max(0, FREEZE_MS - (Date.now() - frozenAt))); // the length of the freeze is what is tested
  } finally {
    e2e.system.processes.get(frozen)?.signal('SIGCONT');
  }
  await e2e.customer.waitFor(order, ['completed'], 90_000);
  const attempts = await settledAttempts(e2e.pool, order.code);
  expect(attempts.map((one) => [one.n, one.outcome, one.container_id])).toEqual([
    [1, 'succeeded', running.container_id],
  ]);
  expect(attempts[0]?.lease_holder).not.toBe(running.lease_holder);
  const { rows } = await e2e.pool.query(
    'SELECT count(*) AS settled FROM audit_events WHERE subject_id = $1 AND to_state = $2',
    [running.id, 'settled'],
  );
  expect(rows).toEqual([{ settled: 1 }]);
}, 300_000);

test('a task that was frozen at its provider buries no job that another has taken since', async () => {
  await e2e.system.processes.get('orchestrator-2')?.stop();
  const { add, left } = providerFaults();
  await add({ match: { path: 'tiny/enrolments' }, times: 1, latencyMs: 3_000, status: 403 });
  const order = await e2e.customer.order('tiny', 'customer@shop.example');
  await e2e.customer.pay(order);
  await eventually('its enrolment is asked for', 10_000, async () => ((await left()) === 0 ? true : undefined));
  const before = metric(await metricsOf('orchestrator-1'), 'stale_writes_refused_total');
  e2e.system.processes.get('orchestrator-1')?.signal('SIGSTOP');
  try {
    await e2e.system.startOrchestrator('orchestrator-2');
    await e2e.customer.waitFor(order, ['completed'], 60_000);
  } finally {
    e2e.system.processes.get('orchestrator-1')?.signal('SIGCONT');
  }
  await eventually('the late word is refused', 20_000, async () =>
    metric(await metricsOf('orchestrator-1'), 'stale_writes_refused_total') > before ? true : undefined,
  );
  expect((await settledAttempts(e2e.pool, order.code)).map((one) => one.outcome)).toEqual(['succeeded']);
  const { rows } = await e2e.pool.query(
    'SELECT j.state, j.task_failures FROM jobs j JOIN orders o ON o.id = j.order_id WHERE o.code = $1',
    [order.code],
  );
  expect(rows).toEqual([{ state: 'completed', task_failures: 0 }]);
}, 120_000);

test.each([10, -10])(
  'an orchestrator whose clock is off by %d minutes works like any other',
  async (minutes) => {
    for (const name of ['orchestrator-1', 'orchestrator-2']) await e2e.system.processes.get(name)?.stop();
    await e2e.system.startOrchestrator('orchestrator-1');
    await e2e.system.startOrchestrator('skewed', {
      NODE_OPTIONS: `--import=${fileURLToPath(new URL('skewed-clock.ts', import.meta.url))}`,
      LADING_TEST_CLOCK_OFFSET_MS: String(minutes * 60_000),
    });
    const orders = await Promise.all(
      Array.from({ length: 6 }, () => e2e.customer.order('tiny', 'customer@shop.example')),
    );
    for (const order of orders) await e2e.customer.pay(order);
    for (const order of orders) {
      await e2e.customer.waitFor(order, ['completed'], 60_000);
      expect((await attemptsOf(e2e.pool, order.code)).map((one) => one.n)).toEqual([1]);
    }
    expect(metric(await metricsOf('orchestrator-1'), 'attempts_adopted_total')).toBe(0);
    expect(metric(await metricsOf('skewed'), 'attempts_adopted_total')).toBe(0);
    await e2e.system.processes.get('skewed')?.stop();
  },
  120_000,
);

test('every orchestrator restarted in turn under load: nothing is lost and no attempt is spent', async () => {
  for (const name of ['orchestrator-1', 'orchestrator-2', 'orchestrator-3'])
    if (!(await isUp(name))) await e2e.system.startOrchestrator(name);
  const orders = await Promise.all(
    Array.from({ length: 12 }, () => e2e.customer.order('tiny', 'customer@shop.example')),
  );
  const paying = Promise.all(orders.map((order) => e2e.customer.pay(order)));
  for (const name of ['orchestrator-1', 'orchestrator-2', 'orchestrator-3']) {
    const startedAt = Date.now();
    expect(await e2e.system.processes.get(name)?.stop()).toBe(0);
    expect(Date.now() - startedAt).toBeLessThan(5_000);
    await e2e.system.startOrchestrator(name);
  }
  await paying;
  for (const order of orders) await e2e.customer.waitFor(order, ['completed'], 90_000);
  const { rows } = await e2e.pool.query(
    `SELECT sum(attempts_spent)::int AS spent, count(*)::int AS jobs FROM jobs JOIN orders ON orders.id = jobs.order_id
     WHERE orders.code = ANY ($1::text[])`,
    [orders.map((order) => order.code)],
  );
  expect(rows).toEqual([{ spent: 0, jobs: orders.length }]);
  for (const order of orders)
    await eventually('its containers are gone', 20_000, async () =>
      (await containersOf(e2e.pool, order.code)).length === 0 ? true : undefined,
    );
}, 240_000);

async function isUp(name: string): Promise<boolean> {
  const one = e2e.system.processes.get(name);
  return one !== undefined && (await Promise.race([one.exited.then(() => false), Promise.resolve(true)]));
}
