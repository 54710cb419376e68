import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';

const HEADERS_TIMEOUT_MS = 30_000;
/** Slow, throttled uploads are part of the job; still, no request lives for ever. */
const REQUEST_TIMEOUT_MS = 6 * 3_600_000;
/** Longer than a client's own idle limit, so that the client closes first and no request meets a closing socket. */
const KEEP_ALIVE_MS = 75_000;

export type Serving = { port: number; url: string; stop: () => Promise<void> };
type Options = {
  host: string;
  port: number;
  /** Absent: plain HTTP. */
  tls?: { cert: string; key: string };
  /** Makes the handler once the address is known; `url` is `http(s)://localhost:PORT`. */
  handler: (url: string) => http.RequestListener;
};

/** Listens (port 0: any free one). `stop` ends idle and busy connections alike. Rejects when the address is taken. */
export async function serve({ host, port, tls, handler }: Options): Promise<Serving> {
  const timeouts = {
    headersTimeout: HEADERS_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
  };
  const server = tls ? https.createServer({ ...tls, ...timeouts }) : http.createServer(timeouts);
  server.listen(port, host);
  await once(server, 'listening');
  const bound = (server.address() as AddressInfo).port;
  const url = `${tls ? 'https' : 'http'}://localhost:${bound}`;
  server.on('request', handler(url));
  return {
    port: bound,
    url,
    stop: async () => {
      server.close();
      server.closeAllConnections();
      if (server.listening) await once(server, 'close');
    },
  };
}
