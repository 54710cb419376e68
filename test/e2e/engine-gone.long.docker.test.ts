/** Nobody looks after an engine any more: its job runs again on another, and what still runs over there delivers nothing. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Agent, fetch as undiciFetch } from 'undici';
import { docker, DOCKER_HOST, eventually, runningAttempt, settledAttempts, startE2e, type E2e } from './world.ts';

let e2e: E2e;
beforeAll(async () => {
  e2e = await startE2e({
    leaseSeconds: 4,
    env: { provider: { SANDBOX_SLOW_BYTES: '300000', SANDBOX_SLOW_BYTES_PER_SECOND: '10000000' } },
  });
  await e2e.putCourse('slow');
}, 60_000);
afterAll(() => e2e.stop(), 60_000);

const isThere = (container: string): boolean =>
  docker('ps', '--quiet', '--no-trunc', '--filter', `id=${container}`).trim() !== '';

test('the job of an engine that is gone is delivered by another, and its container swept when somebody is back', async () => {
  const dispatcher = new Agent({ connect: { ca: e2e.system.caPem } });
  // The first attempt would take five minutes; the second is served as usual.
  const crawl = { match: { path: 'slow/files' }, times: 1, bytesPerSecond: 1_000 };
  await undiciFetch(`${e2e.system.providerUrl}/sandbox/faults`, {
    method: 'POST',
    body: JSON.stringify(crawl),
    dispatcher,
  });
  const order = await e2e.customer.order('slow', 'customer@shop.example');
  await e2e.customer.pay(order);
  const first = await runningAttempt(e2e.pool, order.code);
  e2e.system.processes.get('orchestrator-1')?.signal('SIGKILL');
  await e2e.system.processes.get('orchestrator-1')?.exited;
  await e2e.system.startOrchestrator('on-another-engine', { ENGINE_NAME: 'another', DOCKER_HOST });
  await e2e.customer.waitFor(order, ['completed'], 150_000);
  const attempts = await settledAttempts(e2e.pool, order.code);
  expect(attempts.map(({ outcome }) => outcome)).toEqual(['engine_lost', 'succeeded']);
  expect(isThere(first.container_id)).toBe(true);
  const { rows } = await e2e.pool.query(
    `SELECT a.engine, j.attempts_spent, j.losses, (SELECT count(*)::int FROM files f WHERE f.job_id = j.id) AS files
     FROM attempts a JOIN jobs j ON j.id = a.job_id WHERE a.job_id = $1 ORDER BY a.n`,
    [first.job_id],
  );
  const job = { attempts_spent: 0, losses: 1, files: 1 };
  expect(rows).toEqual([
    { engine: 'local', ...job },
    { engine: 'another', ...job },
  ]);
  await e2e.system.startOrchestrator('orchestrator-1');
  await eventually('what ran on the lost engine is swept', 60_000, () =>
    Promise.resolve(isThere(first.container_id) ? undefined : true),
  );
  const engines = await e2e.pool.query('SELECT name, slots_used, launching FROM engines ORDER BY name');
  expect(engines.rows).toEqual(['another', 'local'].map((name) => ({ name, slots_used: 0, launching: 0 })));
  await dispatcher.close();
}, 300_000);
