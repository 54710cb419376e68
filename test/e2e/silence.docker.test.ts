/** The other side is there and says nothing: a LISTEN connection that is dead without an error, a daemon that hangs. */
import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { makePool, type Pool } from '../../sql/pool.ts';
import { startEngineProxy, type EngineProxy } from './engine-proxy.ts';
import { attemptsOf, DOCKER_HOST, eventually, startE2e, type E2e } from './world.ts';

const FOUND_WITHIN_MS = 15_000;

let proxy: EngineProxy;
let e2e: E2e;
let asOrchestrator: Pool;
beforeAll(async () => {
  proxy = await startEngineProxy(DOCKER_HOST);
  e2e = await startE2e({ dockerHost: proxy.dockerHost });
  await e2e.putCourse('tiny');
  asOrchestrator = makePool({
    connectionString: e2e.system.databaseUrl('lading_orchestrator'),
    applicationName: 'test',
    max: 1,
    onError: () => undefined,
  });
}, 60_000);
afterAll(async () => {
  proxy.thaw();
  await asOrchestrator.end();
  await e2e.stop();
  await proxy.stop();
}, 60_000);

const metricIs = async (name: string, value: number): Promise<true | undefined> => {
  const text = await (await fetch(`${e2e.system.processes.get('orchestrator-1')?.listening['url']}/metrics`)).text();
  return new RegExp(`^${name} ${value}$`, 'm').test(text) ? true : undefined;
};

type Rule = string[];
const iptables = (...rule: string[]): void => void execFileSync('iptables', ['-w', ...rule], { stdio: 'pipe' });

/** Client ports of the connections on which the orchestrator waits for notifications. */
async function listeningPorts(): Promise<number[]> {
  // As the role itself: others do not see what a session last said.
  const { rows } = await asOrchestrator.query<{ client_port: number }>(
    `SELECT client_port FROM pg_stat_activity
     WHERE datname = current_database() AND application_name LIKE 'lading %' AND query ILIKE 'listen %'`,
  );
  return rows.map((row) => row.client_port);
}

test('a LISTEN connection that died without a word is replaced, and what was notified meanwhile is made up for', async () => {
  const first = await e2e.customer.order('tiny', 'customer@shop.example');
  await e2e.customer.pay(first);
  await e2e.customer.waitFor(first, ['completed'], 60_000);
  const ports = await listeningPorts();
  expect(ports.length).toBeGreaterThanOrEqual(2); // ours, and graphile-worker's
  const postgres = new URL(e2e.system.databaseUrl('lading_api')).port;
  const rules: Rule[] = ports.flatMap((port) => [
    ['INPUT', '-i', 'lo', '-p', 'tcp', '--sport', String(port), '--dport', postgres, '-j', 'DROP'],
    ['INPUT', '-i', 'lo', '-p', 'tcp', '--sport', postgres, '--dport', String(port), '-j', 'DROP'],
  ]);
  for (const rule of rules) iptables('-I', ...rule);
  try {
    const lostAt = Date.now();
    const order = await e2e.customer.order('tiny', 'customer@shop.example');
    await e2e.customer.pay(order);
    await eventually('both connections are replaced', FOUND_WITHIN_MS + 3_000, async () => {
      const now = await listeningPorts();
      return now.filter((port) => !ports.includes(port)).length >= ports.length ? true : undefined;
    });
    expect(Date.now() - lostAt).toBeLessThan(FOUND_WITHIN_MS + 3_000);
    await e2e.customer.waitFor(order, ['completed'], 20_000);
  } finally {
    for (const rule of rules) iptables('-D', ...rule);
  }
  const next = await e2e.customer.order('tiny', 'customer@shop.example');
  await e2e.customer.pay(next);
  await e2e.customer.waitFor(next, ['completed'], 20_000);
}, 120_000);

test('a daemon that stops answering is quarantined, with an alarm, and used again when it answers', async () => {
  const quarantined = async (): Promise<boolean> => {
    const { rows } = await e2e.pool.query<{ q: boolean }>('SELECT quarantined_at IS NOT NULL AS q FROM engines');
    return rows[0]?.q ?? false;
  };
  proxy.freeze();
  const order = await e2e.customer.order('tiny', 'customer@shop.example');
  await e2e.customer.pay(order);
  await eventually('the engine is quarantined', 45_000, async () => ((await quarantined()) ? true : undefined));
  await eventually('the alarm is raised', 5_000, () => metricIs('engine_quarantined', 1));
  proxy.thaw();
  await eventually('the engine is used again', 20_000, async () => ((await quarantined()) ? undefined : true));
  await eventually('the alarm is taken back', 5_000, () => metricIs('engine_quarantined', 0));
  await e2e.customer.waitFor(order, ['completed'], 60_000);
  const { rows } = await e2e.pool.query<{ attempts_spent: number }>(
    'SELECT attempts_spent FROM jobs JOIN orders ON orders.id = jobs.order_id WHERE orders.code = $1',
    [order.code],
  );
  expect([rows, (await attemptsOf(e2e.pool, order.code)).length]).toEqual([
    [{ attempts_spent: 0 }],
    expect.any(Number),
  ]);
}, 180_000);

test('an engine that is silent to one orchestrator is used by another that reaches it, and nothing is lost to the first', async () => {
  const buy = async () => {
    const order = await e2e.customer.order('tiny', 'customer@shop.example');
    await e2e.customer.pay(order);
    return order;
  };
  proxy.freeze();
  try {
    const first = await buy();
    await eventually('the engine is quarantined', 45_000, async () =>
      (await e2e.pool.query('SELECT FROM engines WHERE quarantined_at IS NOT NULL')).rowCount === 1 ? true : undefined,
    );
    await e2e.system.startOrchestrator('orchestrator-2', { DOCKER_HOST });
    await e2e.customer.waitFor(first, ['completed'], 90_000);
    const later = [await buy(), await buy(), await buy()];
    for (const order of later) await e2e.customer.waitFor(order, ['completed'], 30_000);
    const { rows } = await e2e.pool.query(
      'SELECT j.losses, j.attempts_spent FROM jobs j JOIN orders o ON o.id = j.order_id WHERE o.code = ANY ($1::text[])',
      [later.map((order) => order.code)],
    );
    expect(rows).toEqual(later.map(() => ({ losses: 0, attempts_spent: 0 })));
  } finally {
    proxy.thaw();
  }
}, 200_000);
