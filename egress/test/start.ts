/** A real egress on a socket in a folder of its own, and the few lines of HTTP that a job would send it. */
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import http from 'node:http';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { mintEgressToken } from '../../job-image/contract/egress-token.ts';
import { makeMetrics } from '../metrics.ts';
import { DEFAULT_LIMITS, makeEgressServer } from '../server.ts';
import { listenOnSocket } from '../../net/listen-on-socket.ts';
import { parseAllowed, parseTarget, type Target } from '../target.ts';

export const KEY = Buffer.alloc(32, 7);
export const ATTEMPT = '0199a3c0-0000-7000-8000-000000000001';
export const OTHER_ATTEMPT = '0199a3c0-0000-7000-8000-000000000002';

const inAnHour = (): number => Math.floor(Date.now() / 1_000) + 3_600;
export const tokenFor = (attempt: string, more: { profile?: string; expiresAt?: number; key?: Buffer } = {}): string =>
  mintEgressToken(more.key ?? KEY, {
    attempt,
    profile: more.profile ?? 'standard',
    expiresAt: more.expiresAt ?? inAnHour(),
  });
export const TOKEN = tokenFor(ATTEMPT);

export type LogLine = Record<string, unknown> & { msg: string };
const targetOf = (text: string): Target => parseTarget(text) ?? parseAllowed(text) ?? { host: '', port: 0 };

export async function startEgress(options: {
  allow?: string[];
  hostMap?: Record<string, string>;
  apiUrl?: string;
  limits?: Partial<typeof DEFAULT_LIMITS>;
}) {
  const folder = await mkdtemp(join(tmpdir(), 'egress-'));
  const socketPath = join(folder, 'egress.sock');
  const logged: LogLine[] = [];
  const waiting = new Set<() => void>();
  const log = pino(
    { level: 'debug' },
    {
      write: (line: string) => {
        logged.push(JSON.parse(line) as LogLine);
        for (const look of waiting) look();
      },
    },
  );
  const metrics = makeMetrics();
  const egress = makeEgressServer({
    key: KEY,
    allow: new Map([['standard', (options.allow ?? []).map((text) => parseAllowed(text) ?? targetOf(text))]]),
    hostMap: new Map(Object.entries(options.hostMap ?? {}).map(([from, to]) => [from, targetOf(to)])),
    apiUrl: options.apiUrl ?? 'http://127.0.0.1:9',
    log,
    metrics,
    limits: { ...DEFAULT_LIMITS, ...options.limits },
  });
  await listenOnSocket(egress.server, { folder, path: socketPath, openTo: 'everyone' });
  return {
    socketPath,
    logged,
    metricsText: () => metrics.registry.metrics(),
    /** The first line logged with this message; waits for it. */
    lineOf: async (msg: string): Promise<LogLine> => {
      for (;;) {
        const found = logged.find((line) => line.msg === msg);
        if (found !== undefined) return found;
        const { promise, resolve } = Promise.withResolvers<void>();
        waiting.add(resolve);
        await promise;
        waiting.delete(resolve);
      }
    },
    stop: async () => {
      await egress.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Listens on loopback; `stop` cuts its connections. */
export async function startTcp(onConnection: (socket: Socket) => void) {
  const sockets = new Set<Socket>();
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    onConnection(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

export type Answer = { status: number; code: string | undefined; headers: http.IncomingHttpHeaders };
export type Connected = Answer & { socket: Socket };

/** CONNECT, as a job sends it. The socket is open only where the status is 200. */
export async function connectThrough(
  socketPath: string,
  target: string,
  headers: Record<string, string> = { 'proxy-authorization': `Bearer ${TOKEN}` },
): Promise<Connected> {
  const request = http.request({ socketPath, method: 'CONNECT', path: target, headers, agent: false });
  request.end();
  const [response, socket, head] = (await once(request, 'connect')) as [http.IncomingMessage, Socket, Buffer];
  const { statusCode: status = 0 } = response;
  if (head.length > 0 && status === 200) socket.unshift(head);
  if (status === 200) return { status, code: undefined, headers: response.headers, socket };
  const chunks = [head];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  const body = JSON.parse(Buffer.concat(chunks).toString()) as { code: string };
  return { status, code: body.code, headers: response.headers, socket };
}

/** Writes bytes as they are and reads until the other side is done. */
export async function sendRaw(socketPath: string, text: string): Promise<string> {
  const socket = connect(socketPath);
  socket.write(text);
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
