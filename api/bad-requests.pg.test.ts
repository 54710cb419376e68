/** Much that is bad, at a process of its own: what must stay true when the API is not treated kindly. */
import { randomBytes, randomInt, randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Agent, fetch as undiciFetch } from 'undici';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Started } from '../sandbox/process.ts';
import { lookIntoHeap, type Heap } from '../test/heap.ts';
import { pay, sepayEvent, signedBySepay, unixNow } from './payments/test-webhook.ts';
import { startTestApiProcess } from '../test/api-process.ts';
import { countRows, placeTestOrder, SECRETS, startTestApi, type TestApi } from './test-setup.ts';

let api: TestApi;
let folder: string;
let stormed: Started;
let heap: Heap;
beforeAll(async () => {
  api = await startTestApi();
  folder = mkdtempSync(join(tmpdir(), 'lading-storm-'));
  stormed = await startTestApiProcess(api.database, folder, {
    env: { NODE_OPTIONS: '--inspect=127.0.0.1:0', ORDERS_PER_MINUTE: '100000', REQUESTS_PER_MINUTE: '1000000' },
  });
  heap = await lookIntoHeap(join(folder, 'api.log'));
});
afterAll(async () => {
  heap.close();
  await stormed.stop();
  rmSync(folder, { recursive: true });
  await api.stop();
});

const REQUESTS = 20_000;
const AT_ONCE = 32;
const MIB = 1024 * 1024;
/** When what every process keeps once warm has been made. */
const WARM_AFTER_REQUESTS = 5_000;
const KEPT_MAX_BYTES = 8 * MIB;

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
  const url = stormed.listening['url'] ?? '';
  const dispatcher = new Agent({ connections: AT_ONCE });
  const answers = new Map<number, number>();
  let sent = 0;
  const sendUntil = async (end: number): Promise<void> => {
    while (sent < end) {
      const { path, method = 'POST', headers = {}, body } = KINDS[sent % KINDS.length]?.() ?? { path: '/' };
      sent += 1;
      const init = { method, headers, dispatcher, ...(body !== undefined && { body }) };
      const response = await undiciFetch(url + path, init);
      await response.arrayBuffer();
      answers.set(response.status, (answers.get(response.status) ?? 0) + 1);
    }
  };
  const storm = (end: number): Promise<unknown> => Promise.all(Array.from({ length: AT_ONCE }, () => sendUntil(end)));
  await storm(WARM_AFTER_REQUESTS);
  const warm = await heap.keptBytes();
  await storm(REQUESTS);
  const end = await heap.keptBytes();
  await dispatcher.close();
  expect([...answers.keys()].filter((status) => status >= 500 || status < 400)).toEqual([]);
  expect([...answers.values()].reduce((sum, n) => sum + n, 0)).toBe(REQUESTS);
  expect(await countRows(api)).toEqual(before);
  // 15,000 requests later: a kilobyte kept of each would be 15 MiB.
  expect(end - warm).toBeLessThan(KEPT_MAX_BYTES);
});
