/** Many at once, and much that is bad: what must stay true when the API is not treated kindly. */
import { randomBytes, randomInt, randomUUID } from 'node:crypto';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Agent, fetch as undiciFetch } from 'undici';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { ledgerTotals } from '../sql/inbox.ts';
import { pay, postWebhook, sepayEvent, signedBySepay, unixNow } from './payments/test-webhook.ts';
import { COURSE, countRows, placeTestOrder, SECRETS, startTestApi, type TestApi } from './test-setup.ts';

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

const REQUESTS = 20_000;
const AT_ONCE = 32;
const MIB = 1024 * 1024;

/** What is left of the heap and the buffers once nothing is kept that could go. */
function keptMib(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  const { heapUsed, external } = process.memoryUsage();
  return (heapUsed + external) / MIB;
}

type Bad = { path: string; method?: string; headers?: Record<string, string>; body?: string | Uint8Array };

const json = { 'Content-Type': 'application/json' };
const key = (): Record<string, string> => ({ 'Idempotency-Key': randomUUID() });
const webhook = (body: string | Uint8Array, headers: Record<string, string>): Bad => ({
  path: '/webhooks/sepay',
  body,
  headers: { ...json, ...headers },
});
const validEvent = JSON.stringify(sepayEvent({ content: 'LD9999999999' }));
const big = Buffer.alloc(20 * 1024, 'x');

/** A kind of bad request for each remainder. */
const KINDS: (() => Bad)[] = [
  () => webhook(validEvent, {}),
  () => webhook(validEvent, signedBySepay(validEvent, 'whsec_of_somebody')),
  () => webhook(validEvent, signedBySepay(validEvent, SECRETS[0], unixNow() - 301 - randomInt(10_000))),
  () => webhook(validEvent, signedBySepay(validEvent, SECRETS[0], unixNow() + 302 + randomInt(10_000))),
  () => webhook(validEvent.replace('499000', '999000'), signedBySepay(validEvent)),
  () => webhook(validEvent.split('').toReversed().join(''), signedBySepay(validEvent)),
  () => webhook(big, signedBySepay(big)),
  () => webhook(validEvent, { 'X-SePay-Timestamp': 'now', 'X-SePay-Signature': 'sha256=' }),
  () => webhook(validEvent, { Authorization: `Apikey ${SECRETS[0]}` }),
  () => webhook(randomBytes(200), signedBySepay(randomBytes(200))),
  () => ({ path: '/v1/orders', body: '{', headers: { ...json, ...key() } }),
  () => ({ path: '/v1/orders', body: '{}', headers: { ...json, ...key() } }),
  () => ({ path: '/v1/orders', body: '{}', headers: json }),
  () => ({ path: '/v1/orders', body: randomBytes(64), headers: { ...json, ...key() } }),
  () => ({ path: '/v1/orders', body: big, headers: { ...json, ...key() } }),
  () => ({
    path: '/v1/orders',
    body: '{"courseId":"nothing","email":"a@mail.example"}',
    headers: { ...json, ...key() },
  }),
  () => ({ path: '/v1/orders', body: '{"courseId":"handbook","email":"a@b.1"}', headers: { ...json, ...key() } }),
  () => ({ path: '/v1/orders', body: '['.repeat(8_000), headers: { ...json, ...key() } }),
  () => ({ path: '/v1/orders', body: 'a=1', headers: { 'Content-Type': 'text/plain', ...key() } }),
  () => ({ path: `/v1/orders/${randomBytes(32).toString('base64url')}`, method: 'GET' }),
  () => ({ path: `/v1/orders/${encodeURIComponent(randomBytes(16).toString('latin1'))}/qr.png`, method: 'GET' }),
  () => ({ path: '/v1/orders/%00', method: 'GET' }),
  () => ({ path: '/v1/orders/%ff', method: 'GET' }),
  () => ({ path: `/v1/attempts/${randomUUID()}/finalize`, body: big, headers: json }),
  () => ({ path: "/v1/attempts/'/finalize", body: '{}', headers: json }),
  () => ({ path: '/v1/orders', method: 'DELETE' }),
  () => ({ path: `/${randomBytes(8).toString('hex')}`, method: 'PATCH' }),
];

test('20,000 bad requests: none is answered 5xx, nothing is written, memory stays flat', async () => {
  const order = await placeTestOrder(api);
  await pay(api, order.code);
  const before = await countRows(api);
  const dispatcher = new Agent({ connections: AT_ONCE });
  const answers = new Map<number, number>();
  let next = 0;
  const kept: number[] = [];
  const send = async (): Promise<void> => {
    while (next < REQUESTS) {
      const n = next;
      next += 1;
      if (n === REQUESTS / 4) kept.push(keptMib());
      const { path, method = 'POST', headers = {}, body } = KINDS[n % KINDS.length]?.() ?? { path: '/' };
      const init = { method, headers, dispatcher, ...(body !== undefined && { body }) };
      const response = await undiciFetch(api.url + path, init);
      await response.arrayBuffer();
      answers.set(response.status, (answers.get(response.status) ?? 0) + 1);
      api.logged.length = 0;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, send));
  await dispatcher.close();
  expect([...answers.keys()].filter((status) => status >= 500 || status < 400)).toEqual([]);
  expect([...answers.values()].reduce((sum, n) => sum + n, 0)).toBe(REQUESTS);
  expect(await countRows(api)).toEqual(before);
  // 15,000 requests later: a kilobyte kept of each would be 15 MiB.
  expect(keptMib() - (kept[0] ?? 0)).toBeLessThan(8);
});
