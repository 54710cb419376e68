import { createSecureContext, getCACertificates } from 'node:tls';
import { Agent, Client, type Dispatcher } from 'undici';
import { makeSocketConnector } from './egress-socket.ts';
import { makeTunnelConnector } from './tunnel.ts';

export type Network = {
  /** For every https origin, through CONNECT. */
  readonly https: Dispatcher;
  /** Plain HTTP to egress itself, for the signed calls. */
  readonly egress: Client;
  close: () => Promise<void>;
};

const HEADERS_LIMIT_MS = 60_000;
/** Of silence while a body is on its way. */
const BODY_LIMIT_MS = 60_000;
const KEEP_ALIVE_MS = 10_000;
/** A source and an upload for each file in flight, and one for calls between them. */
const connectionsPerOrigin = (filesAtOnce: number): number => filesAtOnce + 1;

export function makeNetwork(options: {
  readonly socketPath: string;
  readonly egressToken: string;
  readonly extraCaPem: string | undefined;
  /** Of any size. */
  readonly filesAtOnce: number;
  readonly awayMaxMs?: number;
  /** Ends the waiting for egress: undici hears of it only once a connection stands. */
  readonly signal?: AbortSignal;
}): Network {
  const { socketPath, egressToken, extraCaPem, filesAtOnce, awayMaxMs, signal } = options;
  // One context for all connections: reading some 150 roots anew for each would cost more than the handshake.
  const secureContext =
    extraCaPem === undefined ? undefined : createSecureContext({ ca: [...getCACertificates('default'), extraCaPem] });
  const limits = { headersTimeout: HEADERS_LIMIT_MS, bodyTimeout: BODY_LIMIT_MS, keepAliveTimeout: KEEP_ALIVE_MS };
  const closing = new AbortController();
  const closed = signal === undefined ? closing.signal : AbortSignal.any([closing.signal, signal]);
  const patience = { closed, ...(awayMaxMs === undefined ? {} : { awayMaxMs }) };
  const https = new Agent({
    ...limits,
    connections: connectionsPerOrigin(filesAtOnce),
    connect: makeTunnelConnector(socketPath, egressToken, secureContext, patience),
  });
  const egress = new Client('http://egress', { ...limits, connect: makeSocketConnector(socketPath, patience) });
  return {
    https,
    egress,
    close: async () => {
      closing.abort(new Error('the network is closed'));
      await Promise.all([https.destroy(), egress.destroy()]);
    },
  };
}
