import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { postWebhook, sepayEvent } from './payments/test-webhook.ts';
import { startTestApi, type TestApi } from './test-setup.ts';

const ALLOWED = 5;
let api: TestApi;
beforeAll(async () => (api = await startTestApi({ requestsPerMinute: ALLOWED, trustedProxies: 1 })));
afterAll(() => api.stop());

const from = (address: string, path: string, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(api.url + path, { headers: { 'X-Forwarded-For': address, ...headers } });
const statuses = async (ask: (n: number) => Promise<Response>): Promise<number[]> => {
  const all: number[] = [];
  for (let n = 0; n <= ALLOWED; n += 1) all.push((await ask(n)).status);
  return all;
};

test.each([
  ['status pages', '203.0.113.1', '/v1/orders/nothing', {}, 404],
  ['the shop page', '203.0.113.4', '/', {}, 200],
  ['order pages', '203.0.113.5', '/o/nothing', {}, 404],
  ['the console', '203.0.113.6', '/console/login', {}, 200],
  ['keys that are none', '203.0.113.2', '/v1/jobs', { Authorization: 'Bearer x' }, 401],
  [
    'keys that are guessed',
    '203.0.113.3:4711',
    '/v1/jobs',
    { Authorization: `Bearer lk_aaaaaaaa_${'a'.repeat(43)}` },
    401,
  ],
])('one address has a limit for %s', async (_, address, path, headers, status) => {
  expect(await statuses(() => from(address, path, headers))).toEqual([...Array<number>(ALLOWED).fill(status), 429]);
  const refused = await from(address, path, headers);
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
  expect(await refused.json()).toMatchObject({ code: 'rate_limited' });
});

test("the ports of one address are one caller; another address is another, and SePay's webhooks are not counted", async () => {
  expect((await statuses((n) => from(`203.0.113.9:${4_000 + n}`, '/v1/orders/nothing'))).at(-1)).toBe(429);
  expect((await from('203.0.113.10', '/v1/orders/nothing')).status).toBe(404);
  const pay = async (): Promise<Response> => postWebhook(api, JSON.stringify(sepayEvent({ content: 'khong co ma' })));
  expect(await statuses(pay)).toEqual(Array<number>(ALLOWED + 1).fill(200));
});
