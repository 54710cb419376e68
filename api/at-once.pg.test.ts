/** Many at once: what must stay true of the money when one order's webhooks come together. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { ledgerTotals } from '../sql/inbox.ts';
import { pay, postWebhook, sepayEvent } from './payments/test-webhook.ts';
import { COURSE, countRows, placeTestOrder, startTestApi, type TestApi } from './test-setup.ts';

let api: TestApi;
beforeAll(async () => (api = await startTestApi()));
afterAll(() => api.stop());

test('100 copies of one webhook at once are one event, one payment, one job, one task', async () => {
  const order = await placeTestOrder(api);
  const before = await countRows(api);
  const body = JSON.stringify(sepayEvent({ content: order.code }));
  const answers = await Promise.all(Array.from({ length: 100 }, () => postWebhook(api, body).then((r) => r.text())));
  expect(new Set(answers)).toEqual(new Set(['{"success":true}']));
  const after = await countRows(api);
  for (const name of ['payment_events', 'payments', 'jobs', 'tasks']) expect(after[name]).toBe((before[name] ?? 0) + 1);
});

test('100 different webhooks for one order at once: one job, and every dong stands somewhere, once', async () => {
  const own = await startTestApi();
  try {
    const order = await placeTestOrder(own);
    const amounts = Array.from({ length: 100 }, (_, i) => 10_000 + i);
    await Promise.all(amounts.map((transferAmount) => pay(own, order.code, { transferAmount })));
    expect(await countRows(own)).toMatchObject({ payment_events: 100, payments: 100, jobs: 1, tasks: 1 });
    const totals = await ledgerTotals(own.pool);
    const sum = amounts.reduce((total, amount) => total + amount, 0);
    expect(totals.reduce((total, one) => total + Number(one.balance), 0)).toBe(sum);
    const applied = Number(totals.find(({ stands }) => stands === 'applied')?.balance);
    // Applied until the price was reached, not a transfer longer; the rest waits for an operator.
    expect(applied).toBeGreaterThanOrEqual(COURSE.price_vnd);
    expect(applied).toBeLessThan(COURSE.price_vnd + 10_100);
    expect(totals.map(({ stands }) => stands)).toEqual(['applied', 'unplaced']);
  } finally {
    await own.stop();
  }
});
