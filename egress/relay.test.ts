import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { finalizePath, TOKEN_CALL_MAX_BYTES, tokenPath } from '../job-image/contract/signed-call.ts';
import { ATTEMPT, OTHER_ATTEMPT, sendRaw, startEgress, TOKEN, tokenFor } from './test/start.ts';

type Seen = { method: string | undefined; url: string | undefined; headers: http.IncomingHttpHeaders; body: string };
let seen: Seen[];
let answer: (response: http.ServerResponse) => void;
let api: http.Server;
let egress: Awaited<ReturnType<typeof startEgress>>;

beforeEach(async () => {
  seen = [];
  answer = (response) => response.writeHead(202, { 'content-type': 'application/json' }).end('{"ok":true}');
  api = http.createServer((request, response) => {
    void (async () => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const { method, url, headers } = request;
      seen.push({ method, url, headers, body: Buffer.concat(chunks).toString() });
      answer(response);
    })();
  });
  api.listen(0, '127.0.0.1');
  await once(api, 'listening');
  egress = await startEgress({ apiUrl: `http://127.0.0.1:${(api.address() as AddressInfo).port}/base` });
});
afterEach(async () => {
  await egress.stop();
  api.closeAllConnections();
  api.close();
});

const HEADERS = {
  'proxy-authorization': `Bearer ${TOKEN}`,
  'content-type': 'application/json',
  'webhook-id': 'msg_1',
  'webhook-timestamp': '1',
  'webhook-signature': 'v1,x',
};
async function ask(
  path: string,
  options: { method?: string; headers?: Record<string, string>; body?: Buffer | string } = {},
) {
  const { method = 'POST', headers = HEADERS, body = '{"a":1}' } = options;
  const request = http.request({ socketPath: egress.socketPath, path, method, headers, agent: false });
  request.on('error', () => undefined);
  request.end(method === 'GET' ? undefined : body);
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return { status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks).toString() };
}

test('a signed call reaches the API with five headers and comes back with its answer', async () => {
  const { status, headers, body } = await ask(finalizePath(ATTEMPT), {
    headers: { ...HEADERS, cookie: 'a=b', 'x-forwarded-for': '127.0.0.1', authorization: 'Bearer operator' },
  });
  expect({ status, body, type: headers['content-type'] }).toEqual({
    status: 202,
    body: '{"ok":true}',
    type: 'application/json',
  });
  expect(seen).toMatchObject([{ method: 'POST', url: `/base${finalizePath(ATTEMPT)}`, body: '{"a":1}' }]);
  expect(Object.keys(seen[0]?.headers ?? {}).toSorted()).toEqual([
    'connection',
    'content-length',
    'content-type',
    'host',
    'webhook-id',
    'webhook-signature',
    'webhook-timestamp',
  ]);
  expect(JSON.stringify(egress.logged)).not.toContain(TOKEN.split('.')[1]);
});

test('a refusal of the API is handed back as it is', async () => {
  answer = (response) => response.writeHead(409, { 'retry-after': '7', 'set-cookie': 'a=b' }).end('late');
  const { status, headers, body } = await ask(finalizePath(ATTEMPT));
  expect({ status, body, retryAfter: headers['retry-after'] }).toEqual({ status: 409, body: 'late', retryAfter: '7' });
  expect(headers['set-cookie']).toBeUndefined();
});

describe('refusals', () => {
  const own = finalizePath(ATTEMPT);
  test.each([
    ['another attempt', finalizePath(OTHER_ATTEMPT), {}, 403, 'foreign_attempt'],
    ['no token', own, { headers: { 'content-type': 'application/json' } }, 407, 'token_missing'],
    [
      'an expired token',
      own,
      { headers: { 'proxy-authorization': `Bearer ${tokenFor(ATTEMPT, { expiresAt: 1 })}` } },
      407,
      'token_refused',
    ],
    ['GET', own, { method: 'GET' }, 405, 'method_refused'],
    ['another path', '/v1/orders', {}, 404, 'path_refused'],
    ['a path with more behind it', `${own}/x`, {}, 404, 'path_refused'],
    ['a query', `${own}?x=1`, {}, 404, 'path_refused'],
    ['a path that climbs', `/v1/attempts/../attempts/${ATTEMPT}/finalize`, {}, 404, 'path_refused'],
    ['an absolute address', `http://127.0.0.1${own}`, {}, 404, 'path_refused'],
    [
      'an upgrade',
      own,
      { headers: { ...HEADERS, connection: 'upgrade', upgrade: 'websocket' } },
      403,
      'upgrade_refused',
    ],
    ['a body above the limit', own, { body: Buffer.alloc(4 * 1024 * 1024 + 1) }, 413, 'body_too_large'],
  ])('%s', async (_title, path, options, status, code) => {
    const answered = await ask(path, options);
    expect({ status: answered.status, code: (JSON.parse(answered.body) as { code: string }).code }).toEqual({
      status,
      code,
    });
    expect(seen).toEqual([]);
    expect(await egress.metricsText()).toContain(`egress_refusals_total{reason="${code}"} 1`);
  });

  test('a body above the limit that comes in chunks', async () => {
    const { status } = await ask(own, {
      headers: { ...HEADERS, 'transfer-encoding': 'chunked' },
      body: Buffer.alloc(5 * 1024 * 1024),
    });
    expect(status).toBe(413);
    expect(seen).toEqual([]);
  });

  test('an API that is away', async () => {
    api.closeAllConnections();
    api.close();
    await once(api, 'close');
    expect(await ask(own)).toMatchObject({ status: 502, body: expect.stringContaining('api_unavailable') });
  });

  test('an answer larger than a job needs', async () => {
    answer = (response) => response.writeHead(200).end(Buffer.alloc(64 * 1024 + 1));
    expect(await ask(own)).toMatchObject({ status: 502, body: expect.stringContaining('api_unavailable') });
  });
});

test('a second request hidden in the body of the first never reaches the API', async () => {
  const hidden = `POST /v1/orders HTTP/1.1\r\nhost: api\r\ncontent-length: 0\r\n\r\n`;
  const lines = Object.entries(HEADERS).map(([name, value]) => `${name}: ${value}\r\n`);
  const text = await sendRaw(
    egress.socketPath,
    `POST ${finalizePath(ATTEMPT)} HTTP/1.1\r\nhost: egress\r\nconnection: close\r\n${lines.join('')}content-length: ${hidden.length}\r\n\r\n${hidden}`,
  );
  expect(text).toContain('HTTP/1.1 202');
  expect(seen).toMatchObject([{ url: `/base${finalizePath(ATTEMPT)}`, body: hidden }]);
});

test('a call for a token is relayed, and none larger than it may be', async () => {
  expect(await ask(tokenPath(ATTEMPT), { body: 'x'.repeat(TOKEN_CALL_MAX_BYTES) })).toMatchObject({ status: 202 });
  expect(seen).toMatchObject([{ method: 'POST', url: `/base${tokenPath(ATTEMPT)}` }]);
  expect(await ask(tokenPath(ATTEMPT), { body: 'x'.repeat(TOKEN_CALL_MAX_BYTES + 1) })).toMatchObject({ status: 413 });
  expect(await ask(`${tokenPath(ATTEMPT)}s`)).toMatchObject({ status: 404 });
  expect(await ask(tokenPath(OTHER_ATTEMPT))).toMatchObject({ status: 403 });
  expect(seen).toHaveLength(1);
});
