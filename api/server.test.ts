import { connect } from 'node:net';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { listen, type Server } from './server.ts';

const LIMITS = { headersLimitMs: 300, requestLimitMs: 600, checkedEveryMs: 50 };
let server: Server;
beforeAll(async () => {
  server = await listen(
    (request, response) => void request.resume().on('end', () => response.end('whole')),
    { host: '127.0.0.1', port: 0 },
    LIMITS,
  );
});
afterAll(() => server.stop());

/** Sends `first`, then one more byte every 20 ms, until the server ends it. */
async function trickle(first: string): Promise<{ answer: string; ms: number }> {
  const { port, hostname } = new URL(server.url);
  const socket = connect(Number(port), hostname);
  let answer = '';
  socket.setEncoding('utf8').on('data', (text: string) => {
    answer += text;
    clearInterval(drip);
  });
  socket.on('error', () => undefined);
  const startedAt = performance.now();
  socket.write(first);
  const drip = setInterval(() => socket.write('x'), 20);
  // Not `once`, which rejects at a reset: what was answered before it counts.
  await new Promise((resolve) => socket.on('close', resolve));
  clearInterval(drip);
  return { answer, ms: performance.now() - startedAt };
}

test.each([
  ['headers', 'POST / HTTP/1.1\r\nHost: api\r\nX-Long: ', LIMITS.headersLimitMs],
  ['a body', 'POST / HTTP/1.1\r\nHost: api\r\nContent-Length: 100000\r\n\r\n', LIMITS.requestLimitMs],
])('whoever sends %s byte by byte is cut off at the limit', async (_, first, limitMs) => {
  const { answer, ms } = await trickle(first);
  expect(answer).toMatch(/^HTTP\/1.1 408 /);
  expect(ms).toBeGreaterThan(limitMs - 20);
  expect(ms).toBeLessThan(limitMs + 2_000);
});
