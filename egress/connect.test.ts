import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import {
  ATTEMPT,
  connectThrough,
  OTHER_ATTEMPT,
  sendRaw,
  startEgress,
  startTcp,
  TOKEN,
  tokenFor,
} from './test/start.ts';

const bearer = (token: string) => ({ 'proxy-authorization': `Bearer ${token}` });
type Started = Awaited<ReturnType<typeof startEgress>>;
let egress: Started | undefined;
let upstream: Awaited<ReturnType<typeof startTcp>>;
let received: Buffer[];

beforeEach(async () => {
  received = [];
  upstream = await startTcp((socket) => {
    socket.on('data', (chunk) => {
      received.push(chunk);
      socket.write(chunk);
    });
    socket.on('end', () => socket.end('bye'));
  });
});
afterEach(async () => {
  await egress?.stop();
  await upstream.stop();
});
const mapped = async (limits = {}): Promise<Started> => {
  const hostMap = { 'echo.example.org:443': `127.0.0.1:${upstream.port}` };
  egress = await startEgress({
    allow: ['echo.example.org', `localhost:${upstream.port}`, '127.0.0.1:443', 'nowhere.invalid'],
    hostMap,
    limits,
  });
  return egress;
};

describe('refusals', () => {
  test.each([
    ['no token', {}, 407, 'token_missing'],
    ['another scheme', { 'proxy-authorization': `Basic ${TOKEN}` }, 407, 'token_missing'],
    ['a token of another key', bearer(tokenFor(ATTEMPT, { key: Buffer.alloc(32, 8) })), 407, 'token_refused'],
    ['a token that has expired', bearer(tokenFor(ATTEMPT, { expiresAt: 1 })), 407, 'token_refused'],
    ['a token with a bent signature', bearer(`${TOKEN.slice(0, -2)}AA`), 407, 'token_refused'],
    ['a profile without an allow-list', bearer(tokenFor(ATTEMPT, { profile: 'toString' })), 403, 'unknown_profile'],
  ])('%s', async (_title, headers: Record<string, string>, status, code) => {
    const { socketPath, logged } = await mapped();
    const answer = await connectThrough(socketPath, 'echo.example.org:443', headers);
    expect(answer).toMatchObject({ status, code });
    if (status === 407) expect(answer.headers['proxy-authenticate']).toBe('Bearer realm="egress"');
    expect(logged).toMatchObject([{ msg: 'refused', reason: code }]);
    expect(JSON.stringify(logged)).not.toContain('v1.');
    expect(received).toEqual([]);
  });

  test.each([
    ['a host that is not in the list', 'other.example.org:443', 403, 'host_refused'],
    ['a port that is not in the list', 'echo.example.org:80', 403, 'host_refused'],
    ['a private address by number', '127.0.0.1:443', 403, 'address_refused'],
    ['the same in another spelling', '0x7f.1:443', 403, 'address_refused'],
    ['a name nobody knows', 'nowhere.invalid:443', 502, 'name_unknown'],
    ['a path', '/v1/orders', 400, 'bad_target'],
    ['an address with a path', 'echo.example.org:443/x', 400, 'bad_target'],
    ['a user name', 'a@echo.example.org:443', 400, 'bad_target'],
  ])('%s', async (_title, target, status, code) => {
    const { socketPath } = await mapped();
    expect(await connectThrough(socketPath, target)).toMatchObject({ status, code });
  });

  test('a listed name that leads to a private address', async () => {
    const { socketPath, lineOf, metricsText } = await mapped();
    expect(await connectThrough(socketPath, `localhost:${upstream.port}`)).toMatchObject({ code: 'address_refused' });
    expect(await lineOf('refused')).toMatchObject({ attempt: ATTEMPT, host: 'localhost', port: upstream.port });
    expect(await metricsText()).toContain('egress_refusals_total{reason="address_refused"} 1');
    expect(received).toEqual([]);
  });

  test('a host that is down', async () => {
    egress = await startEgress({ allow: ['down.example.org'], hostMap: { 'down.example.org:443': '127.0.0.1:1' } });
    const answer = await connectThrough(egress.socketPath, 'down.example.org:443');
    expect(answer).toMatchObject({ status: 502, code: 'upstream_unavailable' });
    expect(await egress.lineOf('refused')).toMatchObject({ cause: 'ECONNREFUSED' });
  });

  test('headers without end', async () => {
    const { socketPath } = await mapped();
    const text = await sendRaw(socketPath, `CONNECT echo.example.org:443 HTTP/1.1\r\nx: ${'a'.repeat(20_000)}\r\n\r\n`);
    expect(text).toMatch(/^HTTP\/1\.1 431 .*"code":"header_too_large"/s);
  });

  test.each([
    ['two lengths', 'content-length: 4\r\ncontent-length: 5'],
    ['a length and chunks', 'content-length: 4\r\ntransfer-encoding: chunked'],
    ['a header folded over two lines', 'a: b\r\n c'],
  ])('a request with %s', async (_title, headers) => {
    const { socketPath } = await mapped();
    const text = await sendRaw(socketPath, `POST /v1/x HTTP/1.1\r\nhost: egress\r\n${headers}\r\n\r\nabcd`);
    expect(text).toMatch(/^HTTP\/1\.1 400 .*"code":"bad_request"/s);
    expect(text.match(/HTTP\/1\.1/g)).toHaveLength(1);
  });
});

test('a connection that says nothing gives its place back within seconds', async () => {
  const { socketPath } = await mapped();
  const startedAt = performance.now();
  const socket = connect(socketPath).resume();
  await once(socket, 'close');
  expect(performance.now() - startedAt).toBeLessThan(6_000);
}, 20_000);

describe('tunnels', () => {
  test('bytes pass both ways, the near end may close first, and the tunnel is logged and counted', async () => {
    const { socketPath, lineOf, metricsText, logged } = await mapped();
    const { status, socket } = await connectThrough(socketPath, 'echo.example.org:443');
    expect(status).toBe(200);
    socket.write('ping');
    expect(String((await once(socket, 'data'))[0])).toBe('ping');
    expect(await metricsText()).toMatch(/egress_bytes_total\{direction="down"\} 4\n/);
    expect(await metricsText()).toContain('egress_tunnels_open 1');
    socket.end();
    expect(String((await once(socket, 'data'))[0])).toBe('bye');
    const line = await lineOf('tunnel closed');
    expect(line).toMatchObject({
      attempt: ATTEMPT,
      host: 'echo.example.org',
      port: 443,
      bytesUp: 4,
      bytesDown: 7,
      end: 'closed',
    });
    expect(line['ms']).toEqual(expect.any(Number));
    expect(await metricsText()).toMatch(/egress_bytes_total\{direction="down"\} 7\n/);
    expect(await metricsText()).toContain('egress_tunnels_open 0');
    expect(JSON.stringify(logged)).not.toContain(TOKEN.split('.')[1]);
  });

  test('what follows CONNECT in one write belongs to the tunnel', async () => {
    const { socketPath } = await mapped();
    const socket = connect({ path: socketPath, allowHalfOpen: true });
    socket.end(`CONNECT echo.example.org:443 HTTP/1.1\r\nhost: x\r\nproxy-authorization: Bearer ${TOKEN}\r\n\r\nearly`);
    const chunks: Buffer[] = [];
    for await (const chunk of socket) chunks.push(chunk as Buffer);
    expect(Buffer.concat(chunks).toString()).toBe('HTTP/1.1 200 Connection Established\r\n\r\nearlybye');
  });

  test('a slow reader holds the sender back instead of filling memory', async () => {
    const total = 64 * 1024 * 1024;
    let sent = 0;
    const piece = randomBytes(256 * 1024);
    const flood = await startTcp((socket) => {
      const pour = (): void => {
        while (sent < total) {
          sent += piece.length;
          if (!socket.write(piece)) return;
        }
        socket.end();
      };
      socket.on('drain', pour);
      pour();
    });
    egress = await startEgress({
      allow: ['flood.example.org'],
      hostMap: { 'flood.example.org:443': `127.0.0.1:${flood.port}` },
    });
    const { socket } = await connectThrough(egress.socketPath, 'flood.example.org:443');
    socket.pause();
    // Nobody reads: what the kernel and two small buffers hold is taken, and then the sender stands still.
    let before = -1;
    for (let still = 0; still < 500; still = sent === before ? still + 1 : 0) {
      before = sent;
      await setImmediate();
    }
    expect(sent).toBeLessThan(total / 2);
    let bytes = 0;
    for await (const chunk of socket) bytes += (chunk as Buffer).length;
    expect(bytes).toBe(total);
    await flood.stop();
  }, 20_000);

  test('an upstream that breaks off ends the tunnel', async () => {
    const breaking = await startTcp((socket) => socket.once('data', () => socket.resetAndDestroy()));
    egress = await startEgress({
      allow: ['x.example.org'],
      hostMap: { 'x.example.org:443': `127.0.0.1:${breaking.port}` },
    });
    const { socket } = await connectThrough(egress.socketPath, 'x.example.org:443');
    socket.on('error', () => undefined);
    const closed = once(socket.resume(), 'close');
    socket.write('x');
    await closed;
    expect(await egress.lineOf('tunnel closed')).toMatchObject({ end: 'ECONNRESET' });
    await breaking.stop();
  });

  test('a silent tunnel is ended', async () => {
    const { socketPath, lineOf } = await mapped({ tunnelIdleMs: 50 });
    const { socket } = await connectThrough(socketPath, 'echo.example.org:443');
    socket.on('error', () => undefined);
    socket.resume();
    await once(socket, 'close');
    expect(await lineOf('tunnel closed')).toMatchObject({ end: 'idle' });
  });

  test('an attempt opens no more than its share, and may again when one has ended', async () => {
    const { socketPath, lineOf } = await mapped({ tunnelsPerAttempt: 1 });
    const first = await connectThrough(socketPath, 'echo.example.org:443');
    const second = await connectThrough(socketPath, 'echo.example.org:443');
    expect(second).toMatchObject({ status: 429, code: 'too_many_tunnels' });
    const other = await connectThrough(socketPath, 'echo.example.org:443', bearer(tokenFor(OTHER_ATTEMPT)));
    expect(other.status).toBe(200);
    other.socket.destroy();
    first.socket.destroy();
    await lineOf('tunnel closed');
    while ((await connectThrough(socketPath, 'echo.example.org:443')).status !== 200) await setImmediate();
  });
});
