/** What is lost is ours: a job is not charged for it, and whatever happened to us, it ends with its own cause. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Agent, request } from 'undici';
import { startPostgres, type Postgres } from '../../sandbox/postgres.ts';
import {
  attemptsOf,
  containersOf,
  docker,
  type E2e,
  eventually,
  runningAttempt,
  settledAttempts,
  startE2e,
} from './world.ts';

const OUTAGE_MS = 4_000;
const EGRESS_OUTAGE_MS = 5_000;
const DEAD_WITHIN_MS = 60_000;

let postgres: Postgres;
let e2e: E2e;
beforeAll(async () => {
  // Its own: others use theirs meanwhile.
  postgres = await startPostgres(undefined);
  e2e = await startE2e({
    databaseUrl: postgres.adminUrl,
    leaseSeconds: 4,
    env: { provider: { SANDBOX_SLOW_BYTES: '524288' } },
  });
  await e2e.putCourse('slow');
  await e2e.putCourse('always-503');
}, 90_000);
afterAll(async () => {
  await e2e.stop();
  await postgres.stop();
}, 60_000);

test('Postgres gone in the middle of a job, and back: the same container delivers, and nothing is spent', async () => {
  const order = await e2e.customer.order('slow', 'customer@shop.example');
  await e2e.customer.pay(order);
  const running = await runningAttempt(e2e.pool, order.code);
  await postgres.crash();
  await sleep(OUTAGE_MS); // longer than a lease: the length of the outage is what is tested
  await postgres.start();
  await e2e.customer.waitFor(order, ['completed'], 90_000);
  const attempts = await settledAttempts(e2e.pool, order.code);
  expect(attempts.map((one) => [one.n, one.outcome, one.container_id])).toEqual([
    [1, 'succeeded', running.container_id],
  ]);
  const { rows } = await e2e.pool.query('SELECT attempts_spent, losses FROM jobs WHERE id = $1', [running.job_id]);
  expect(rows).toEqual([{ attempts_spent: 0, losses: 0 }]);
}, 150_000);

test('egress gone in the middle of a transfer, and back: the same container goes on and delivers, and nothing is spent', async () => {
  const order = await e2e.customer.order('slow', 'customer@shop.example');
  await e2e.customer.pay(order);
  const running = await runningAttempt(e2e.pool, order.code);
  await eventually('bytes are on their way', 20_000, async () => {
    const { rowCount } = await e2e.pool.query('SELECT FROM attempts WHERE id = $1 AND progress IS NOT NULL', [
      running.id,
    ]);
    return rowCount === 1 ? true : undefined;
  });
  e2e.system.processes.get('egress')?.signal('SIGKILL');
  await e2e.system.processes.get('egress')?.exited;
  await sleep(EGRESS_OUTAGE_MS); // the length of the outage is what is tested
  expect((await attemptsOf(e2e.pool, order.code)).map((one) => one.state)).toEqual(['running']);
  await e2e.system.startEgress();
  await e2e.customer.waitFor(order, ['completed'], 90_000);
  const attempts = await settledAttempts(e2e.pool, order.code);
  expect(attempts.map((one) => [one.n, one.outcome, one.container_id])).toEqual([
    [1, 'succeeded', running.container_id],
  ]);
  const { rows } = await e2e.pool.query('SELECT attempts_spent, losses FROM jobs WHERE id = $1', [running.job_id]);
  expect(rows).toEqual([{ attempts_spent: 0, losses: 0 }]);
}, 150_000);

test('Drive forgets every token it gave: a job gets a fresh one through the API, and its one container delivers', async () => {
  // Those that are in stock for jobs to come are dead now.
  const drive = new Agent({ connect: { ca: e2e.system.caPem } });
  const forgotten = await request(`${e2e.system.googleUrl}/sandbox/tokens`, { method: 'DELETE', dispatcher: drive });
  await drive.destroy();
  expect(forgotten.statusCode).toBe(204);
  const order = await e2e.customer.order('slow', 'customer@shop.example');
  await e2e.customer.pay(order);
  const running = await runningAttempt(e2e.pool, order.code);
  await eventually('a fresh token was given', 20_000, async () => {
    const { rowCount } = await e2e.pool.query(
      'SELECT FROM drive_tokens WHERE attempt_id = $1 AND n = 1 AND sealed_at IS NOT NULL',
      [running.id],
    );
    return rowCount === 1 ? true : undefined;
  });
  await e2e.customer.waitFor(order, ['completed'], 90_000);
  expect((await attemptsOf(e2e.pool, order.code)).map((one) => [one.n, one.container_id])).toEqual([
    [1, running.container_id],
  ]);
}, 120_000);

test('an orchestrator that dies in the last attempt: the dead letter has the cause, within a minute', async () => {
  const order = await e2e.customer.order('always-503', 'customer@shop.example');
  await e2e.customer.pay(order);
  const last = await eventually(
    'the third attempt runs',
    90_000,
    async () => (await attemptsOf(e2e.pool, order.code)).find((one) => one.n === 3 && one.state === 'running'),
    () => attemptsOf(e2e.pool, order.code),
  );
  e2e.system.processes.get('orchestrator-1')?.signal('SIGKILL');
  await e2e.system.processes.get('orchestrator-1')?.exited;
  const diedAt = Date.now();
  await e2e.system.startOrchestrator('orchestrator-1');
  const seen = await e2e.customer.waitFor(order, ['failed', 'completed'], DEAD_WITHIN_MS);
  expect(Date.now() - diedAt).toBeLessThan(DEAD_WITHIN_MS);
  expect([seen.status, seen.failure?.reason]).toEqual(['failed', 'attempts_exhausted']);
  const attempts = await attemptsOf(e2e.pool, order.code);
  expect(attempts.map((one) => one.outcome)).toEqual(['app_temporary', 'app_temporary', 'app_temporary']);
  expect(attempts.at(-1)?.container_id).toBe(last.container_id);
  expect(attempts.at(-1)?.detail).toContain('503');
}, 240_000);

test('standbys end with their orchestrator, and another takes them away', async () => {
  const standbys = (...more: string[]): string[] =>
    docker('ps', '--quiet', '--filter', `name=lading-${e2e.installation}-standby`, ...more)
      .split('\n')
      .filter((id) => id !== '');
  const first = await eventually('a standby waits', 20_000, async () =>
    standbys().length > 0 ? standbys() : undefined,
  );
  e2e.system.processes.get('orchestrator-1')?.signal('SIGKILL');
  await e2e.system.processes.get('orchestrator-1')?.exited;
  await eventually('they have ended', 15_000, async () =>
    standbys().some((id) => first.includes(id)) ? undefined : true,
  );
  await e2e.system.startOrchestrator('orchestrator-1');
  await eventually('they are gone', 20_000, async () =>
    standbys('--all').some((id) => first.includes(id)) ? undefined : true,
  );
  const order = await e2e.customer.order('slow', 'customer@shop.example');
  await e2e.customer.pay(order);
  const running = await runningAttempt(e2e.pool, order.code);
  expect(first.some((id) => running.container_id.startsWith(id))).toBe(false);
  await e2e.customer.waitFor(order, ['completed'], 90_000);
  await eventually('no container is left', 15_000, async () =>
    (await containersOf(e2e.pool, order.code)).length === 0 ? true : undefined,
  );
}, 150_000);
