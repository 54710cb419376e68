import { once } from 'node:events';
import { createServer, type RequestListener, type Server as HttpServer } from 'node:http';
import { createServer as createTlsServer, type Server as HttpsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { callerOf } from './caller.ts';
import { makePlaces } from './places.ts';
import { SECURITY_HEADERS } from './security-headers.ts';

/** How long a client may take to send a request, how often that is looked at, and how long to read a whole answer. */
const SLOWNESS = { headersLimitMs: 10_000, requestLimitMs: 15_000, checkedEveryMs: 2_000, readLimitMs: 60_000 };
/** Longer than the idle limit usual in reverse proxies (60 s), so that the proxy closes first. */
const KEEP_ALIVE_MS = 65_000;
const HEADER_MAX_BYTES = 16 * 1024;
const HEADERS_MAX = 64;
const CONNECTIONS_MAX = 2_000;
/** So that nobody takes everybody's places. All jobs of an engine call from one address, that of its egress. */
export const CONNECTIONS_OF_CALLER_MAX = 512;
/** Requests that one connection may send before it has read the answers to those before. */
export const UNANSWERED_MAX = 16;
const REFUSALS: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  HPE_CHUNK_EXTENSIONS_OVERFLOW: '413 Payload Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
};
const STOP_LIMIT_MS = 4_000;
const STOP_CHECK_MS = 50;

/** A certificate with its chain, and its key: PEM. */
export type Certificate = { cert: string; key: string };

export type Server = {
  url: string;
  /** New connections get this certificate; those that stand keep theirs. Throws where the two do not fit. */
  renew: (certificate: Certificate) => void;
  /** Takes no more connections, lets running requests end for at most four seconds, then cuts them off. */
  stop: () => Promise<void>;
};

/** What Node answers itself, before there is a request: with the headers that every answer has. */
function refuse(error: NodeJS.ErrnoException, socket: Duplex): void {
  const { _httpMessage: answering } = socket as { _httpMessage?: { headersSent: boolean } | null };
  // What is not of HTTP is of TLS or of the socket: there is nobody to answer.
  const isHttp = /^(HPE_|ERR_HTTP_)/.test(error.code ?? '');
  if (!isHttp || !socket.writable || answering?.headersSent) return void socket.destroy();
  const status = REFUSALS[error.code ?? ''] ?? '400 Bad Request';
  const headers = Object.entries({ ...SECURITY_HEADERS, Connection: 'close', 'Content-Length': '0' });
  socket.end(`HTTP/1.1 ${status}\r\n${headers.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`, () =>
    socket.destroy(),
  );
}

/** What a client asks without reading would fill our memory with answers: beyond the limit the connection is cut off. */
function boundUnanswered(handler: RequestListener, readLimitMs: number): RequestListener {
  const unanswered = new WeakMap<Socket, number>();
  return (request, response) => {
    const { socket } = request;
    const before = unanswered.get(socket) ?? 0;
    if (socket.destroyed || before >= UNANSWERED_MAX) {
      socket.destroy();
      return;
    }
    unanswered.set(socket, before + 1);
    let unread: NodeJS.Timeout | undefined;
    // All of it is written by then; streams that go on have limits of their own.
    response.once('prefinish', () => (unread = setTimeout(() => socket.destroy(), readLimitMs)));
    response.once('close', () => {
      clearTimeout(unread);
      unanswered.set(socket, (unanswered.get(socket) ?? 1) - 1);
    });
    handler(request, response);
  };
}

/** Port 0: any free one. Behind a proxy all connections are the proxy's. Rejects when the address cannot be had. */
export async function listen(
  handler: RequestListener,
  at: { host: string; port: number; certificate?: Certificate | undefined; isBehindProxy?: boolean },
  slowness = SLOWNESS,
): Promise<Server> {
  const limits = {
    headersTimeout: slowness.headersLimitMs,
    requestTimeout: slowness.requestLimitMs,
    keepAliveTimeout: KEEP_ALIVE_MS,
    connectionsCheckingInterval: slowness.checkedEveryMs,
    maxHeaderSize: HEADER_MAX_BYTES,
  };
  const tls = at.certificate && {
    ...at.certificate,
    minVersion: 'TLSv1.2' as const,
    handshakeTimeout: slowness.headersLimitMs,
  };
  const bounded = boundUnanswered(handler, slowness.readLimitMs);
  const server: HttpServer | HttpsServer = tls
    ? createTlsServer({ ...limits, ...tls }, bounded)
    : createServer(limits, bounded);
  server.on('clientError', refuse);
  // With those whose handshake is not done, which the server itself does not count.
  const sockets = new Set<Socket>();
  const places = makePlaces(at.isBehindProxy ? CONNECTIONS_MAX : CONNECTIONS_OF_CALLER_MAX);
  server.on('connection', (socket: Socket) => {
    const leave = places.take(callerOf(socket.remoteAddress ?? ''));
    if (!leave) {
      socket.destroy();
      return;
    }
    sockets.add(socket);
    socket.on('close', () => {
      sockets.delete(socket);
      leave();
    });
  });
  server.maxHeadersCount = HEADERS_MAX;
  server.maxConnections = CONNECTIONS_MAX;
  server.listen(at.port, at.host);
  await once(server, 'listening');
  const { address, family, port } = server.address() as AddressInfo;
  return {
    url: `${tls ? 'https' : 'http'}://${family === 'IPv6' ? `[${address}]` : address}:${port}`,
    renew: (certificate) => {
      if ('setSecureContext' in server) server.setSecureContext({ ...certificate, minVersion: 'TLSv1.2' });
    },
    stop: async () => {
      const closed = once(server, 'close');
      server.close();
      // A connection that becomes idle after close() would be kept open for its keep-alive time.
      const sweep = setInterval(() => server.closeIdleConnections(), STOP_CHECK_MS);
      const cutOff = setTimeout(() => sockets.forEach((socket) => socket.destroy()), STOP_LIMIT_MS);
      await closed;
      clearInterval(sweep);
      clearTimeout(cutOff);
    },
  };
}
