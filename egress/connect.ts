/**
 * `CONNECT host:port`: token, allow-list, name, address, and then bytes both ways until either side is done.
 *
 * Trap: the client's socket leaves the HTTP server with this event, so errors on it are ours from the first line on, and
 * a refusal must drain what the client still sends, or the kernel throws our answer away with the connection.
 */
import { connect as dial, type Socket } from 'node:net';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Logger } from 'pino';
import type { Metrics } from './metrics.ts';
import { rawProblemAnswer, type RefusalCode } from './refusal.ts';
import { resolveTarget, type HostMap, type Resolved } from './resolve.ts';
import type { Slots } from './slots.ts';
import type { Strangers } from './strangers.ts';
import { isAllowed, parseTarget, type AllowList, type Target } from './target.ts';
import { readToken } from './token.ts';

const CONNECT_LIMIT_MS = 10_000;
const FAMILY_TRY_MS = 500;
const REFUSAL_LINGER_MS = 2_000;

export type ConnectDeps = {
  readonly key: Buffer;
  readonly allow: ReadonlyMap<string, AllowList>;
  readonly hostMap: HostMap;
  readonly tunnels: Slots;
  readonly strangers: Strangers;
  readonly idleLimitMs: number;
  readonly log: Logger;
  readonly metrics: Metrics;
};

export function refuseSocket(socket: Duplex, code: RefusalCode): void {
  const linger = setTimeout(() => socket.destroy(), REFUSAL_LINGER_MS);
  socket.once('close', () => clearTimeout(linger));
  socket.resume();
  socket.end(rawProblemAnswer(code));
}

type Opened = { readonly upstream: Socket } | { readonly refused: RefusalCode; readonly cause?: string };

/** Connects to the addresses that were checked; `lookup` only hands them over, so no name is resolved twice. */
function open(resolved: Extract<Resolved, { port: number }>, host: string, client: Duplex): Promise<Opened> {
  return new Promise((resolve) => {
    const upstream = dial({
      host,
      port: resolved.port,
      allowHalfOpen: true,
      noDelay: true,
      autoSelectFamily: true,
      autoSelectFamilyAttemptTimeout: FAMILY_TRY_MS,
      lookup: (_host, options, done) =>
        options.all === true
          ? done(null, [...resolved.addresses])
          : done(null, resolved.addresses[0]?.address ?? '', resolved.addresses[0]?.family),
    });
    const settle = (opened: Opened): void => {
      clearTimeout(limit);
      client.off('close', gaveUp);
      upstream.off('error', failed);
      if ('refused' in opened) upstream.on('error', () => undefined).destroy();
      resolve(opened);
    };
    const failed = (error: NodeJS.ErrnoException): void =>
      settle(
        error.code === 'ETIMEDOUT'
          ? { refused: 'upstream_timeout' }
          : { refused: 'upstream_unavailable', cause: error.code ?? error.name },
      );
    const gaveUp = (): void => settle({ refused: 'upstream_unavailable', cause: 'the job hung up' });
    const limit = setTimeout(() => settle({ refused: 'upstream_timeout' }), CONNECT_LIMIT_MS);
    upstream.once('error', failed);
    client.once('close', gaveUp);
    upstream.once('connect', () => settle({ upstream }));
  });
}

/** Brings the byte counters of one tunnel up to date, from the sockets' own counts. */
function meter(upstream: Socket, metrics: Metrics): () => { bytesUp: number; bytesDown: number } {
  let up = 0;
  let down = 0;
  return () => {
    const bytesUp = upstream.bytesWritten;
    const bytesDown = upstream.bytesRead;
    metrics.bytes('up', bytesUp - up);
    metrics.bytes('down', bytesDown - down);
    up = bytesUp;
    down = bytesDown;
    return { bytesUp, bytesDown };
  };
}

const endOf = (results: readonly PromiseSettledResult<void>[]): string => {
  const failed = results.find((result) => result.status === 'rejected');
  return failed === undefined ? 'closed' : ((failed.reason as NodeJS.ErrnoException).code ?? 'failed');
};

/** Answers one CONNECT; resolves when the tunnel is over. Never rejects. */
export function makeConnect(
  deps: ConnectDeps,
): (request: IncomingMessage, client: Duplex, head: Buffer) => Promise<void> {
  const { log, metrics } = deps;
  const meters = new Set<() => void>();
  metrics.beforeScrape(() => meters.forEach((update) => update()));

  async function carry(
    client: Duplex,
    upstream: Socket,
    head: Buffer,
    facts: Target & { attempt: string },
  ): Promise<void> {
    const startedMs = performance.now();
    const update = meter(upstream, metrics);
    meters.add(update);
    metrics.tunnelOpened();
    // Reads and writes both count as life, so the far side alone tells an idle tunnel.
    upstream.setTimeout(deps.idleLimitMs, () => upstream.destroy(Object.assign(new Error('idle'), { code: 'idle' })));
    client.write('HTTP/1.1 200 Connection Established\r\n\r\n');
    if (head.length > 0) upstream.write(head);
    const results = await Promise.allSettled([pipeline(client, upstream), pipeline(upstream, client)]);
    client.destroy();
    upstream.destroy();
    meters.delete(update);
    metrics.tunnelClosed();
    const ms = Math.round(performance.now() - startedMs);
    log.info({ ...facts, ...update(), ms, end: endOf(results) }, 'tunnel closed');
  }

  return async (request, client, head) => {
    client.on('error', () => client.destroy());
    const refuse = (code: RefusalCode, facts: object = {}): void => {
      metrics.refused(code);
      log.warn({ reason: code, ...facts }, 'refused');
      refuseSocket(client, code);
    };
    const claims = readToken(deps.key, request.headers['proxy-authorization']);
    if (typeof claims === 'string') return refuse(claims);
    const { attempt, profile } = claims;
    const target = parseTarget(request.url ?? '');
    if (target === undefined) return refuse('bad_target', { attempt });
    const facts = { attempt, ...target };
    const list = deps.allow.get(profile);
    if (list === undefined) return refuse('unknown_profile', { ...facts, profile });
    if (!isAllowed(list, target)) return refuse('host_refused', facts);
    const release = deps.tunnels.take(attempt);
    if (release === undefined) return refuse('too_many_tunnels', facts);
    deps.strangers.forget(client);
    try {
      const resolved = await resolveTarget(target, deps.hostMap);
      if ('refused' in resolved) return refuse(resolved.refused, facts);
      const opened = await open(resolved, target.host, client);
      if ('refused' in opened) return refuse(opened.refused, { ...facts, cause: opened.cause });
      await carry(client, opened.upstream, head, facts);
    } finally {
      release();
    }
  };
}
