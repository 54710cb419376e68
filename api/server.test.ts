import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { setImmediate } from 'node:timers/promises';
import { join } from 'node:path';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { ensureTls, type TlsFiles } from '../sandbox/tls.ts';
import { CONNECTIONS_OF_CALLER_MAX, listen, UNANSWERED_MAX, type Server } from './server.ts';

const LIMITS = { headersLimitMs: 300, requestLimitMs: 600, checkedEveryMs: 50, readLimitMs: 500 };
let dirs: string[];
let tls: TlsFiles;
let renewed: TlsFiles;
const servers: Partial<Record<'http' | 'https', Server>> = {};
beforeAll(async () => {
  dirs = [mkdtempSync(join(tmpdir(), 'lading-tls-')), mkdtempSync(join(tmpdir(), 'lading-tls-'))];
  [tls, renewed] = (await Promise.all(dirs.map((dir) => ensureTls(dir)))) as [TlsFiles, TlsFiles];
  const at = { host: '127.0.0.1', port: 0 };
  const start = (certificate?: TlsFiles): Promise<Server> =>
    listen(
      (request, response) => void request.resume().on('end', () => response.end('whole')),
      { ...at, certificate },
      LIMITS,
    );
  servers.http = await start();
  servers.https = await start(tls);
});
afterAll(async () => {
  await Promise.all(Object.values(servers).map((server) => server.stop()));
  for (const dir of dirs) rmSync(dir, { recursive: true });
});

type Scheme = 'http' | 'https';
const portOf = (scheme: Scheme): number => Number(new URL(servers[scheme]?.url ?? '').port);
const open = (scheme: Scheme, ca = tls.ca): Socket | TLSSocket =>
  scheme === 'http'
    ? connect(portOf('http'), '127.0.0.1')
    : connectTls({ port: portOf('https'), host: '127.0.0.1', servername: 'localhost', ca });

/** Sends `first`, then one more byte every 20 ms, until the server ends it. */
async function trickle(socket: Socket, first: string): Promise<{ answer: string; ms: number }> {
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

describe.each(['http', 'https'] as const)('over %s', (scheme) => {
  test.each([
    ['headers', 'POST / HTTP/1.1\r\nHost: api\r\nX-Long: ', LIMITS.headersLimitMs],
    ['a body', 'POST / HTTP/1.1\r\nHost: api\r\nContent-Length: 100000\r\n\r\n', LIMITS.requestLimitMs],
  ])('whoever sends %s byte by byte is cut off at the limit', async (_, first, limitMs) => {
    const { answer, ms } = await trickle(open(scheme), first);
    expect(answer).toMatch(/^HTTP\/1.1 408 /);
    expect(answer).toContain('X-Content-Type-Options: nosniff\r\n');
    expect(ms).toBeGreaterThan(limitMs - 20);
    expect(ms).toBeLessThan(limitMs + 2_000);
  });

  test.each([
    ['no HTTP', 'nonsense\r\n\r\n', 400],
    ['too many bytes of headers', `GET / HTTP/1.1\r\nHost: api\r\nX-Long: ${'x'.repeat(20_000)}\r\n\r\n`, 431],
  ])('%s is refused, with the headers of every answer', async (_, request, status) => {
    const { answer } = await trickle(open(scheme), request);
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(answer).toContain("Content-Security-Policy: default-src 'none'");
  });
});

test('whoever opens a connection and shakes no hand is cut off at the limit', async () => {
  const socket = connect(portOf('https'), '127.0.0.1');
  const startedAt = performance.now();
  await new Promise((resolve) => socket.on('error', () => undefined).on('close', resolve));
  expect(performance.now() - startedAt).toBeGreaterThan(LIMITS.headersLimitMs - 20);
  expect(performance.now() - startedAt).toBeLessThan(LIMITS.headersLimitMs + 2_000);
});

test('a client of old TLS is turned away', async () => {
  const socket = connectTls({
    port: portOf('https'),
    host: '127.0.0.1',
    ca: tls.ca,
    maxVersion: 'TLSv1.1',
    minVersion: 'TLSv1',
  });
  await expect(once(socket, 'secureConnect')).rejects.toThrow();
  socket.destroy();
});

test('a renewed certificate is for new connections, and those that stand go on', async () => {
  const ask = async (socket: TLSSocket): Promise<string> => {
    socket.write('GET / HTTP/1.1\r\nHost: api\r\n\r\n');
    const [text] = (await once(socket, 'data')) as [Buffer];
    return text.toString();
  };
  const standing = open('https') as TLSSocket;
  await once(standing, 'secureConnect');
  expect(await ask(standing)).toContain('whole');
  servers.https?.renew(renewed);
  const fresh = open('https', renewed.ca) as TLSSocket;
  await once(fresh, 'secureConnect');
  expect(await ask(fresh)).toContain('whole');
  expect(await ask(standing)).toContain('whole');
  const old = open('https');
  await expect(once(old, 'secureConnect')).rejects.toThrow(/certificate|self-signed/);
  for (const socket of [standing, fresh, old]) socket.destroy();
});

test('a stop waits for nobody who is still shaking hands', async () => {
  const patient = { ...LIMITS, headersLimitMs: 60_000, requestLimitMs: 60_000 };
  const server = await listen(() => undefined, { host: '127.0.0.1', port: 0, certificate: tls }, patient);
  const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
  await once(socket, 'connect');
  const startedAt = performance.now();
  await server.stop();
  expect(performance.now() - startedAt).toBeLessThan(8_000);
  socket.destroy();
}, 20_000);

test('who asks on without reading the answers is cut off, and few of his requests were begun', async () => {
  let begun = 0;
  const server = await listen(() => (begun += 1), { host: '127.0.0.1', port: 0 });
  const socket = connect(Number(new URL(server.url).port), '127.0.0.1').on('error', () => undefined);
  socket.resume().write('GET / HTTP/1.1\r\nHost: api\r\n\r\n'.repeat(1_500));
  await new Promise((resolve) => socket.once('close', resolve));
  expect(begun).toBe(UNANSWERED_MAX);
  await server.stop();
});

test('who does not read his answer is cut off, and who reads it gets it', async () => {
  const answer = Buffer.alloc(16 * 1024 * 1024, 'x');
  const over: Promise<unknown>[] = [];
  const server = await listen(
    (_request, response) => {
      over.push(once(response, 'close'));
      response.end(answer);
    },
    { host: '127.0.0.1', port: 0 },
    LIMITS,
  );
  const bytesRead = async (begin: () => Promise<unknown>): Promise<number> => {
    const socket = connect(Number(new URL(server.url).port), '127.0.0.1').on('error', () => undefined);
    socket.write('GET / HTTP/1.1\r\nHost: api\r\nConnection: close\r\n\r\n');
    await begin();
    let bytes = 0;
    socket.on('data', (piece: Buffer) => (bytes += piece.length));
    await new Promise((resolve) => socket.once('close', resolve));
    return bytes;
  };
  expect(await bytesRead(() => Promise.resolve())).toBeGreaterThan(answer.length);
  const unread = async (): Promise<void> => {
    while (over.length < 2) await setImmediate();
    await over[1];
  };
  expect(await bytesRead(unread)).toBeLessThan(answer.length);
  await server.stop();
});

test.each([false, true])(
  'behind a proxy: %s. Nobody takes the places of all, unless he brings all of them',
  async (isBehindProxy) => {
    const at = { host: '127.0.0.1', port: 0, isBehindProxy };
    const server = await listen((_request, response) => response.end('whole'), at, LIMITS);
    const port = Number(new URL(server.url).port);
    const held = await Promise.all(
      Array.from({ length: CONNECTIONS_OF_CALLER_MAX }, async () => {
        const socket = connect(port, '127.0.0.1').on('error', () => undefined);
        await once(socket, 'connect');
        return socket;
      }),
    );
    const askedFrom = (localAddress: string): Promise<string> =>
      new Promise((resolve) => {
        let answer = '';
        const socket = connect({ port, host: '127.0.0.1', localAddress }).on('error', () => undefined);
        socket.on('data', (text: Buffer) => (answer += text.toString())).on('close', () => resolve(answer));
        socket.write('GET / HTTP/1.1\r\nHost: api\r\nConnection: close\r\n\r\n');
      });
    expect((await askedFrom('127.0.0.1')).includes('whole')).toBe(isBehindProxy);
    expect(await askedFrom('127.0.0.2')).toContain('whole');
    for (const socket of held) socket.destroy();
    await server.stop();
  },
);
