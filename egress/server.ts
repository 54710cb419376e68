import { createServer, type Server } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Logger } from 'pino';
import { Agent } from 'undici';
import { makeConnect, refuseSocket } from './connect.ts';
import type { Metrics } from './metrics.ts';
import type { RefusalCode } from './refusal.ts';
import { makeRelay } from './relay.ts';
import type { HostMap } from './resolve.ts';
import { makeSlots } from './slots.ts';
import { makeStrangers } from './strangers.ts';
import type { AllowList } from './target.ts';

const HEADERS_MAX_BYTES = 16 * 1024;
const HEADERS_LIMIT_MS = 3_000;
const REQUEST_LIMIT_MS = 60_000;
const CHECKED_EVERY_MS = 1_000;
const CONNECTIONS_MAX = 8_192;
const API_CONNECTIONS_MAX = 32;

export const DEFAULT_LIMITS = {
  /** Twice the most files an envelope may ask for, each with a source and a Drive connection, and room to reconnect. */
  tunnelsPerAttempt: 128,
  tunnelsTotal: 4_096,
  relaysPerAttempt: 2,
  relaysTotal: 32,
  /** Connections that were not let in, of all jobs together. */
  strangers: 1_024,
  tunnelIdleMs: 120_000,
};

export type EgressServer = { readonly server: Server; close: () => Promise<void> };

/** The HTTP server of the socket, not listening yet. `close` cuts open tunnels: a job resumes over the next process. */
export function makeEgressServer(options: {
  readonly key: Buffer;
  readonly allow: ReadonlyMap<string, AllowList>;
  readonly hostMap: HostMap;
  readonly apiUrl: string;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly limits?: typeof DEFAULT_LIMITS;
}): EgressServer {
  const { key, allow, hostMap, apiUrl, log, metrics, limits = DEFAULT_LIMITS } = options;
  const tunnels = makeSlots({ perAttempt: limits.tunnelsPerAttempt, total: limits.tunnelsTotal });
  const relays = makeSlots({ perAttempt: limits.relaysPerAttempt, total: limits.relaysTotal });
  const dispatcher = new Agent({ connections: API_CONNECTIONS_MAX });
  const strangers = makeStrangers(limits.strangers, () => metrics.refused('crowded_out'));
  const connect = makeConnect({
    key,
    allow,
    hostMap,
    tunnels,
    strangers,
    idleLimitMs: limits.tunnelIdleMs,
    log,
    metrics,
  });
  const relay = makeRelay({ key, apiUrl, relays, strangers, dispatcher, log, metrics });
  const sockets = new Set<Duplex>();

  const server = createServer({
    maxHeaderSize: HEADERS_MAX_BYTES,
    headersTimeout: HEADERS_LIMIT_MS,
    requestTimeout: REQUEST_LIMIT_MS,
    // Node looks every 30 s.
    connectionsCheckingInterval: CHECKED_EVERY_MS,
  });
  server.maxConnections = CONNECTIONS_MAX;
  server.on('connection', (socket: Duplex) => {
    sockets.add(socket);
    strangers.meet(socket);
    socket.once('close', () => {
      sockets.delete(socket);
      strangers.forget(socket);
    });
  });
  const refuse = (socket: Duplex, code: RefusalCode): void => {
    metrics.refused(code);
    log.warn({ reason: code }, 'refused');
    refuseSocket(socket, code);
  };
  server.on('connect', (request, socket, head) => void connect(request, socket, head));
  server.on('request', (request, response) => void relay(request, response));
  server.on('upgrade', (_request, socket) => {
    socket.on('error', () => socket.destroy());
    refuse(socket, 'upgrade_refused');
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    if (!socket.writable || error.code === 'ECONNRESET') socket.destroy();
    else refuse(socket, error.code === 'HPE_HEADER_OVERFLOW' ? 'header_too_large' : 'bad_request');
  });

  return {
    server,
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
      await dispatcher.destroy();
    },
  };
}
