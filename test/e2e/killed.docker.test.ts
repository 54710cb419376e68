/** Processes are killed without warning; nothing is lost, nothing is done twice. */
import { setTimeout as sleep } from 'node:timers/promises';
import { zstdDecompressSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { z } from 'zod';
import { callJson } from '../../sandbox/customer.ts';
import { readLogChunks } from '../../sql/logs.ts';
import { attemptsOf, containersOf, type E2e, eventually, runningAttempt, settledAttempts, startE2e } from './world.ts';

let e2e: E2e;
beforeAll(async () => {
  e2e = await startE2e({ orchestrators: 2, leaseSeconds: 4 });
  await e2e.putCourse('tiny');
  await e2e.putCourse('slow');
}, 60_000);
afterAll(() => e2e.stop(), 60_000);

const KILLS = [0, 1, 2, 3, 5, 8, 12, 20];

test('the API killed at any moment of the webhook, and the webhook sent again: one payment, one job, one delivery', async () => {
  for (const afterMs of KILLS) {
    const order = await e2e.customer.order('tiny', 'customer@shop.example');
    const paying = e2e.customer.pay(order);
    await sleep(afterMs); // the moment of the kill is what varies here, nothing is waited for
    e2e.system.processes.get('api')?.signal('SIGKILL');
    const first = await paying;
    await e2e.system.processes.get('api')?.exited;
    await e2e.system.startApi();
    for (let again = 0; again < 2; again += 1) {
      const delivery = z.object({ delivered: z.boolean() });
      expect(
        await callJson(delivery, `${e2e.system.sepayUrl}/sandbox/transfers/${first.id}/redeliver`, { method: 'POST' }),
      ).toEqual({ delivered: true });
    }
    const { rows } = await e2e.pool.query(
      `SELECT (SELECT count(*) FROM payment_events WHERE external_id = $1::text) AS events,
              (SELECT count(*) FROM payments p JOIN orders o ON o.id = p.order_id WHERE o.code = $2::text) AS payments,
              (SELECT count(*) FROM jobs j JOIN orders o ON o.id = j.order_id WHERE o.code = $2::text) AS jobs`,
      [String(first.id), order.code],
    );
    expect([afterMs, rows]).toEqual([afterMs, [{ events: 1, payments: 1, jobs: 1 }]]);
    await e2e.customer.waitFor(order, ['completed'], 60_000);
  }
}, 300_000);

test('an orchestrator killed mid-job: another adopts the container, its log has no gap, and only one container ever ran', async () => {
  const order = await e2e.customer.order('slow', 'customer@shop.example');
  await e2e.customer.pay(order);
  const running = await runningAttempt(e2e.pool, order.code);
  const holders = await Promise.all(
    ['orchestrator-1', 'orchestrator-2'].map(async (name) => {
      const metrics = await (await fetch(`${e2e.system.processes.get(name)?.listening['url']}/metrics`)).text();
      return { name, follows: /^containers_followed 1$/m.test(metrics) };
    }),
  );
  const holder = holders.find((one) => one.follows);
  if (!holder) throw new Error('nobody follows the container');
  e2e.system.processes.get(holder.name)?.signal('SIGKILL');
  const killedAt = Date.now();
  await eventually(
    'the attempt is adopted',
    10_000,
    async () => ((await attemptsOf(e2e.pool, order.code))[0]?.lease_epoch ?? 0) > running.lease_epoch || undefined,
    () => attemptsOf(e2e.pool, order.code),
  );
  expect(Date.now() - killedAt).toBeLessThan(10_000);
  await e2e.customer.waitFor(order, ['completed'], 90_000);
  const attempts = await settledAttempts(e2e.pool, order.code);
  expect(attempts.map((one) => [one.n, one.outcome, one.container_id])).toEqual([
    [1, 'succeeded', running.container_id],
  ]);
  const lines = (await readLogChunks(e2e.pool, running.id)).flatMap((chunk) =>
    zstdDecompressSync(chunk.zstd)
      .toString('utf8')
      .trimEnd()
      .split('\n')
      .map((text) => JSON.parse(text) as { n: number; l: string }),
  );
  expect(lines.map((line) => line.n)).toEqual(lines.map((_, i) => i + 1));
  expect(lines.filter((line) => line.l.includes('"lading":"ready"'))).toHaveLength(1);
  expect(lines.filter((line) => line.l.includes('"lading":"end"'))).toHaveLength(1);
  await eventually('its container is gone', 10_000, async () =>
    (await containersOf(e2e.pool, order.code)).length === 0 ? true : undefined,
  );
  await e2e.system.startOrchestrator(holder.name);
}, 180_000);

test('an orchestrator told to stop hands over within 5 s and leaves the container alone', async () => {
  const order = await e2e.customer.order('slow', 'customer@shop.example');
  await e2e.customer.pay(order);
  const running = await runningAttempt(e2e.pool, order.code);
  for (const name of ['orchestrator-1', 'orchestrator-2']) {
    const startedAt = Date.now();
    expect(await e2e.system.processes.get(name)?.stop()).toBe(0);
    expect(Date.now() - startedAt).toBeLessThan(5_000);
    expect(await containersOf(e2e.pool, order.code)).toHaveLength(1);
    await e2e.system.startOrchestrator(name);
  }
  await e2e.customer.waitFor(order, ['completed'], 90_000);
  expect((await attemptsOf(e2e.pool, order.code)).map((one) => one.container_id)).toEqual([running.container_id]);
}, 180_000);
