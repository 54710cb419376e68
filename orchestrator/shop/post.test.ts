import { mkdtempSync, rmSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setDefaultCACertificates, getCACertificates } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { serve, type Serving } from '../../sandbox/serve.ts';
import { ensureTls, type TlsFiles } from '../../sandbox/tls.ts';
import { makePost, shownAnswer } from './post.ts';

const trusted = getCACertificates('default');
let dir: string;
let tls: TlsFiles;
let running: Serving[] = [];
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'lading-post-'));
  tls = await ensureTls(dir);
  setDefaultCACertificates([...trusted, tls.ca]);
});
afterEach(async () => {
  await Promise.all(running.map((one) => one.stop()));
  running = [];
});
afterAll(() => {
  setDefaultCACertificates(trusted);
  rmSync(dir, { recursive: true });
});

async function shop(handler: RequestListener, withTls = false): Promise<string> {
  const one = await serve({
    host: '127.0.0.1',
    port: 0,
    ...(withTls && { tls: { cert: tls.cert, key: tls.key } }),
    handler: () => handler,
  });
  running.push(one);
  return one.url;
}
const toSandbox = (url: string, limitMs?: number) => makePost(new Set([new URL(url).origin]), limitMs);

describe('only the public internet is called, over TLS', () => {
  test.each([
    ['http://shop.example/', 'not https'],
    ['http://93.184.216.34/', 'not https'],
    ['https://user:secret@shop.example/', 'credentials in the address'],
    ['https://127.0.0.1/', 'address not public'],
    ['https://localhost/', 'address not public'],
    ['https://0/', 'address not public'],
    ['https://2130706433/', 'address not public'],
    ['https://0x7f.1/', 'address not public'],
    ['https://10.0.0.1/', 'address not public'],
    ['https://192.168.1.1:8443/', 'address not public'],
    ['https://169.254.169.254/latest/meta-data', 'address not public'],
    ['https://[::1]/', 'address not public'],
    ['https://[::ffff:127.0.0.1]/', 'address not public'],
    ['https://[::ffff:169.254.169.254]/', 'address not public'],
    ['https://[64:ff9b::a00:1]/', 'address not public'],
    ['https://[fd00::1]/', 'address not public'],
    ['https://[fe80::1]/', 'address not public'],
    ['ftp://shop.example/', 'not https'],
    ['nonsense', 'not an address'],
    ['https://nobody.invalid/', 'name not resolved: unknown'],
  ])('%s: %s', async (url, error) => {
    expect(await makePost(new Set())(url, {}, '{}')).toEqual({ error });
  });

  test('a stand-in opens its own origin and no other port of it', async () => {
    const url = await shop((_request, response) => response.end('ok'));
    expect(await toSandbox(url)(url, {}, '{}')).toMatchObject({ status: 200, body: 'ok' });
    const other = await shop((_request, response) => response.end('never'));
    expect(await toSandbox(url)(other, {}, '{}')).toEqual({ error: 'not https' });
  });
});

test('the body, the headers and the host arrive as they were given', async () => {
  const got: unknown[] = [];
  const url = await shop((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (part: string) => (body += part));
    request.on('end', () => {
      const { host, 'webhook-id': id, 'content-length': length } = request.headers;
      got.push({ method: request.method, path: request.url, host, id, length, body });
      response.writeHead(204).end();
    });
  }, true);
  expect(await toSandbox(url)(`${url}/a?b=c`, { 'webhook-id': 'one' }, '{"đ":1}')).toMatchObject({ status: 204 });
  expect(got).toEqual([
    { method: 'POST', path: '/a?b=c', host: new URL(url).host, id: 'one', length: '8', body: '{"đ":1}' },
  ]);
});

test('the connection goes to the checked address, and still only to who can prove the name', async () => {
  const url = new URL(await shop((_request, response) => response.end('ok'), true));
  // The certificate of the stand-in has this name as well; no name has to be looked up for it to be refused otherwise.
  setDefaultCACertificates(trusted);
  expect(await toSandbox(url.origin)(url.href, {}, '{}')).toEqual({
    error: expect.stringMatching(/SELF_SIGNED|UNABLE_TO_/),
  });
  setDefaultCACertificates([...trusted, tls.ca]);
  expect(await toSandbox(url.origin)(url.href, {}, '{}')).toMatchObject({ status: 200 });
});

test('a redirect is an answer, and nobody goes where it points', async () => {
  let followed = 0;
  const url = await shop((request, response) => {
    if (request.url === '/inner') followed += 1;
    response.writeHead(307, { Location: '/inner' }).end();
  });
  expect(await toSandbox(url)(url, {}, '{}')).toMatchObject({ status: 307 });
  expect(followed).toBe(0);
});

test('Retry-After is handed on', async () => {
  const url = await shop((_request, response) => response.writeHead(503, { 'Retry-After': '7' }).end('later'));
  expect(await toSandbox(url)(url, {}, '{}')).toEqual({ status: 503, retryAfter: '7', body: 'later' });
});

describe('no shop holds us up', () => {
  const slow: [string, RequestListener][] = [
    ['says nothing', () => undefined],
    ['never ends its answer', (_request, response) => void response.write('a')],
  ];
  test.each(slow)('one that %s', async (_what, handler) => {
    const url = await shop(handler);
    const startedAt = performance.now();
    expect(await toSandbox(url, 200)(url, {}, '{}')).toEqual({ error: 'no answer in time' });
    expect(performance.now() - startedAt).toBeLessThan(5_000);
  });

  test('one that answers without end is heard for 16 KiB, of which 512 characters are kept', async () => {
    const url = await shop((_request, response) => {
      const more = (): void => {
        while (!response.destroyed && response.write('x'.repeat(4_096)));
      };
      response.on('drain', more);
      more();
    });
    expect(await toSandbox(url)(url, {}, '{}')).toEqual({ status: 200, retryAfter: undefined, body: 'x'.repeat(512) });
  });

  test('one that hangs up, and one that is not there', async () => {
    const url = await shop((request) => request.socket.destroy());
    expect(await toSandbox(url)(url, {}, '{}')).toEqual({ error: 'ECONNRESET' });
    await running[0]?.stop();
    expect(await toSandbox(url)(url, {}, '{}')).toEqual({ error: 'ECONNREFUSED' });
  });
});

test('what is kept of an answer can be printed and stored', () => {
  expect(shownAnswer(Buffer.from('a\u0000b\u001b[31mc\nđ'))).toBe('a b [31mc đ');
  expect(shownAnswer(Buffer.from([0x61, 0xff, 0x62]))).toBe('a b');
  expect(shownAnswer(Buffer.from(`${'x'.repeat(511)}😀`))).toHaveLength(512);
});
