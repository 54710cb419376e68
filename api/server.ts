import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';

/** How long a client may take to send a request, and how often that is looked at. */
const SLOWNESS = { headersLimitMs: 10_000, requestLimitMs: 15_000, checkedEveryMs: 2_000 };
/** Longer than the idle limit usual in reverse proxies (60 s), so that the proxy closes first. */
const KEEP_ALIVE_MS = 65_000;
const HEADER_MAX_BYTES = 16 * 1024;
const HEADERS_MAX = 64;
const CONNECTIONS_MAX = 2_000;
const STOP_LIMIT_MS = 4_000;
const STOP_CHECK_MS = 50;

export type Server = {
  url: string;
  /** Takes no more connections, lets running requests end for at most four seconds, then cuts them off. */
  stop: () => Promise<void>;
};

/** Port 0: any free one. Rejects when the address cannot be had. */
export async function listen(
  handler: RequestListener,
  at: { host: string; port: number },
  slowness = SLOWNESS,
): Promise<Server> {
  const server = createServer(
    {
      headersTimeout: slowness.headersLimitMs,
      requestTimeout: slowness.requestLimitMs,
      keepAliveTimeout: KEEP_ALIVE_MS,
      connectionsCheckingInterval: slowness.checkedEveryMs,
      maxHeaderSize: HEADER_MAX_BYTES,
    },
    handler,
  );
  server.maxHeadersCount = HEADERS_MAX;
  server.maxConnections = CONNECTIONS_MAX;
  server.listen(at.port, at.host);
  await once(server, 'listening');
  const { address, family, port } = server.address() as AddressInfo;
  return {
    url: `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`,
    stop: async () => {
      const closed = once(server, 'close');
      server.close();
      // A connection that becomes idle after close() would be kept open for its keep-alive time.
      const sweep = setInterval(() => server.closeIdleConnections(), STOP_CHECK_MS);
      const cutOff = setTimeout(() => server.closeAllConnections(), STOP_LIMIT_MS);
      await closed;
      clearInterval(sweep);
      clearTimeout(cutOff);
    },
  };
}
