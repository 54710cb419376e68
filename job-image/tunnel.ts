/**
 * TLS connections through egress. undici's own ProxyAgent does CONNECT over a unix socket too, but tells a refusal apart
 * from an outage in the text of its error only; a job must know which of the two it met.
 */
import { request as httpRequest } from 'node:http';
import type { Socket } from 'node:net';
import type { SecureContext } from 'node:tls';
import { types } from 'node:util';
import { buildConnector } from 'undici';
import { whileAway, type Patience } from './egress-socket.ts';

const TUNNEL_LIMIT_MS = 20_000;
const TLS_LIMIT_MS = 15_000;

/** Egress answered CONNECT with something else than 200. */
export class TunnelRefusedError extends Error {
  override name = 'TunnelRefusedError';
  readonly status: number;
  constructor(status: number, target: string) {
    super(`egress answered ${status} for ${target}`);
    this.status = status;
  }
  /** Asking again cannot help: host, address or token are not acceptable. */
  get isFinal(): boolean {
    return this.status < 500 && this.status !== 429 && this.status !== 408;
  }
}

function openTunnel(socketPath: string, token: string, target: string): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const request = httpRequest({
    socketPath,
    method: 'CONNECT',
    path: target,
    headers: { host: target, 'proxy-authorization': `Bearer ${token}` },
    agent: false,
    timeout: TUNNEL_LIMIT_MS,
  });
  request.once('timeout', () => request.destroy(Object.assign(new Error('no tunnel in time'), { code: 'ETIMEDOUT' })));
  request.once('error', reject);
  request.once('connect', (response, socket: Socket, head: Buffer) => {
    // Egress answered; the limit on silence was for the tunnel, what comes now has limits of its own.
    socket.setTimeout(0);
    if (response.statusCode === 200) {
      if (head.length > 0) socket.unshift(head);
      resolve(socket);
    } else {
      socket.destroy();
      reject(new TunnelRefusedError(response.statusCode ?? 0, target));
    }
  });
  request.end();
  return promise;
}

/** For undici's `connect`: a tunnel to the origin, and TLS to the origin inside it. */
export function makeTunnelConnector(
  socketPath: string,
  token: string,
  secureContext: SecureContext | undefined,
  patience: Patience,
): buildConnector.connector {
  const secure = buildConnector({
    timeout: TLS_LIMIT_MS,
    allowH2: false,
    ...(secureContext === undefined ? {} : { secureContext }),
  });
  return (options, callback) => {
    if (options.protocol !== 'https:') {
      callback(new TypeError(`refusing ${options.protocol} outside of TLS`), null);
      return;
    }
    const target = `${options.hostname}:${options.port || 443}`;
    void (async () => {
      const opened = await whileAway(() => openTunnel(socketPath, token, target), patience).catch(
        (error: Error) => error,
      );
      if (types.isNativeError(opened)) callback(opened, null);
      else secure({ ...options, httpSocket: opened }, callback);
    })();
  };
}
