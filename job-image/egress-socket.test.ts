/** The socket of egress is away, for a while or for good; an upstream that is away is something else. */
import { once } from 'node:events';
import http from 'node:http';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { call } from './http-call.ts';
import { makeNetwork, type Network } from './network.ts';

const AWAY_MS = 300;
const signal = new AbortController().signal;
let folder: string;
let socketPath: string;
let network: Network;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'egress-socket-'));
  socketPath = join(folder, 'egress.sock');
  network = makeNetwork({
    socketPath,
    egressToken: 'token',
    extraCaPem: undefined,
    filesAtOnce: 1,
    awayMaxMs: AWAY_MS,
  });
});
afterEach(async () => {
  await network.close();
  await rm(folder, { recursive: true });
});

const throughTunnel = () => call('https://drive.example/', { method: 'GET', dispatcher: network.https, signal });
const toEgress = () => call('http://egress/', { method: 'GET', dispatcher: network.egress, signal });
const listening = async (server: http.Server): Promise<http.Server> => {
  server.listen(socketPath);
  await once(server, 'listening');
  return server;
};

test.each([
  ['a tunnel', throughTunnel],
  ['a signed call', toEgress],
])('%s waits until the limit, and the end says that egress is away', async (_title, ask) => {
  const startedMs = performance.now();
  await expect(ask()).rejects.toMatchObject({ reason: 'egress_unavailable', message: 'egress is away: ENOENT' });
  expect(performance.now() - startedMs).toBeGreaterThanOrEqual(AWAY_MS - 2);
});

test('a socket that takes connections and drops them is away too', async () => {
  const server = createServer((socket) => socket.destroy()).listen(socketPath);
  await once(server, 'listening');
  await expect(throughTunnel()).rejects.toMatchObject({ reason: 'egress_unavailable' });
  server.close();
});

test('a call that was begun while nobody listened goes on when somebody does', async () => {
  const asked = toEgress();
  const server = await listening(http.createServer((_request, response) => response.writeHead(204).end()));
  expect(await asked).toMatchObject({ done: { statusCode: 204 } });
  server.closeAllConnections();
  server.close();
});

test('an upstream that egress cannot reach is not waited for: that is no loss of ours', async () => {
  let asked = 0;
  const server = http.createServer();
  server.on('connect', (_request, socket) => {
    asked += 1;
    socket.end('HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n');
  });
  await listening(server);
  expect(await throughTunnel()).toEqual({ again: 'egress answered 502 for drive.example:443' });
  expect(asked).toBe(1);
  server.close();
});

test('nobody waits any more once the network is closed', async () => {
  const asked = throughTunnel().catch((error: unknown) => error);
  const startedMs = performance.now();
  await network.close();
  await asked;
  expect(performance.now() - startedMs).toBeLessThan(AWAY_MS);
});

test('a call that is stopped while egress is away ends at once', async () => {
  const stop = new AbortController();
  const startedMs = performance.now();
  const asked = call('https://drive.example/', { method: 'GET', dispatcher: network.https, signal: stop.signal });
  stop.abort(new Error('told to stop'));
  await expect(asked).rejects.toThrow('told to stop');
  expect(performance.now() - startedMs).toBeLessThan(AWAY_MS);
});
