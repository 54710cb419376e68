import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { pay } from './payments/test-webhook.ts';
import { placeTestOrder, runAttempt, startTestApi, type TestApi } from './test-setup.ts';

let api: TestApi;
beforeAll(async () => (api = await startTestApi()));
afterAll(() => api.stop());

const FOUR_MIB = 4 * 1024 * 1024;

/** Announces a body of four megabytes and waits with it. Resolves with the head of an answer, or undefined. */
function announce(attempt: string, path = '/v1/attempts'): { socket: Socket; answer: Promise<string> } {
  const { port, hostname } = new URL(api.url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => undefined);
  socket.write(
    `POST ${path}/${attempt}/finalize HTTP/1.1\r\nHost: api\r\nContent-Type: application/json\r\n` +
      `Content-Length: ${FOUR_MIB}\r\nwebhook-id: msg\r\nwebhook-timestamp: 1\r\nwebhook-signature: v1,x\r\n\r\n`,
  );
  const answer = once(socket, 'data').then(([bytes]) => String(bytes).split('\r\n')[0] ?? '');
  answer.catch(() => undefined);
  return { socket, answer };
}

test.each([randomUUID(), 'x', ''])('no body is read for the attempt %j, which does not exist', async (attempt) => {
  const { socket, answer } = announce(attempt);
  expect(await answer).toMatch(/^HTTP\/1.1 40[14] /);
  socket.destroy();
});

test('nor is one on a path in other letters, which is no path of ours', async () => {
  const { socket, answer } = announce(randomUUID(), '/V1/ATTEMPTS');
  expect(await answer).toMatch(/^HTTP\/1.1 404 /);
  socket.destroy();
});

test('an attempt has at most sixteen bodies on their way, and others are not kept waiting', async () => {
  const [one, other] = [await placeTestOrder(api), await placeTestOrder(api)];
  await pay(api, one.code);
  await pay(api, other.code);
  const [greedy, modest] = [await runAttempt(api, one.code), await runAttempt(api, other.code)];
  const calls = Array.from({ length: 17 }, () => announce(greedy.id));
  expect(await Promise.race(calls.map(({ answer }) => answer))).toMatch(/^HTTP\/1.1 429 /);
  const answer = await fetch(`${api.url}/v1/attempts/${modest.id}/finalize`, { method: 'POST', body: '{}' });
  expect(answer.status).toBe(401);
  for (const { socket } of calls) socket.destroy();
});
