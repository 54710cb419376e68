/**
 * Connections to the socket of egress, which is ours: while nobody stands behind it a job waits, whatever it was about
 * to ask, so that a restart of egress costs it nothing but the time.
 */
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { types } from 'node:util';
import type { buildConnector } from 'undici';
import { AWAY_MAX_MS } from './retry.ts';

const POLL_MS = 250;
/** What a unix socket says where its process is gone, on its way out or overrun: never what an upstream did. */
const AWAY_CODES = new Set(['ECONNREFUSED', 'ENOENT', 'EPIPE', 'ECONNRESET', 'EAGAIN']);

/** Nobody stood behind the socket of egress for all the time a job waits. */
export class EgressAwayError extends Error {
  override name = 'EgressAwayError';
}

const isAway = (error: unknown): boolean =>
  types.isNativeError(error) && AWAY_CODES.has((error as NodeJS.ErrnoException).code ?? '');

export type Patience = {
  /** Aborts when the network is closed: nobody waits any more. */
  readonly closed: AbortSignal;
  readonly awayMaxMs?: number;
};

/**
 * What `open` gives, opened anew for as long as the socket itself is away. Throws EgressAwayError at the limit, and at
 * once what `open` rejects with otherwise.
 */
export async function whileAway<T>(open: () => Promise<T>, { closed, awayMaxMs = AWAY_MAX_MS }: Patience): Promise<T> {
  const startedMs = performance.now();
  for (;;) {
    try {
      return await open();
    } catch (error) {
      closed.throwIfAborted();
      if (!isAway(error)) throw error;
      const leftMs = startedMs + awayMaxMs - performance.now();
      if (leftMs <= 0)
        throw new EgressAwayError(`egress is away: ${(error as NodeJS.ErrnoException).code}`, { cause: error });
      await sleep(Math.min(POLL_MS, leftMs), undefined, { signal: closed });
    }
  }
}

const openSocket = (socketPath: string): Promise<Socket> => {
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const socket = connect(socketPath);
  socket.once('error', reject);
  socket.once('connect', () => {
    socket.off('error', reject);
    resolve(socket);
  });
  return promise;
};

/** For undici's `connect`: plain connections to egress itself. */
export const makeSocketConnector =
  (socketPath: string, patience: Patience): buildConnector.connector =>
  (_options, callback) => {
    void (async () => {
      const opened = await whileAway(() => openSocket(socketPath), patience).catch((error: Error) => error);
      if (types.isNativeError(opened)) callback(opened, null);
      else callback(null, opened);
    })();
  };
