/**
 * One connection that LISTENs for moved jobs and for events to tell the shop, and comes back by itself. Each
 * (re)connection counts as a notification of both.
 */
import pg from 'pg';
import type { Logger } from 'pino';

const JOBS = 'lading_jobs';
const SHOP = 'lading_shop';
const RECONNECT_MIN_MS = 250;
const RECONNECT_MAX_MS = 10_000;
/** Then ten probes a second apart: a dead connection is found within 15 s. */
const KEEP_ALIVE_AFTER_MS = 4_000;

export type Listener = { stop: () => Promise<void> };

export function listenForJobs(
  connectionString: string,
  on: { moved: () => void; shop: () => void; connected: (connected: boolean) => void },
  log: Logger,
): Listener {
  let client: pg.Client | undefined;
  let timer: NodeJS.Timeout | undefined;
  let failures = 0;
  let stopped = false;

  function reconnectLater(): void {
    if (stopped || timer) return;
    const delay = Math.min(RECONNECT_MAX_MS, RECONNECT_MIN_MS * 2 ** failures) * (0.5 + Math.random() / 2);
    failures += 1;
    timer = setTimeout(() => {
      timer = undefined;
      void connect();
    }, delay);
  }

  async function connect(): Promise<void> {
    const next = new pg.Client({
      connectionString,
      application_name: 'lading listen',
      keepAlive: true,
      keepAliveInitialDelayMillis: KEEP_ALIVE_AFTER_MS,
      connectionTimeoutMillis: 5_000,
    });
    client = next;
    const lost = (error?: Error): void => {
      if (client !== next) return;
      client = undefined;
      on.connected(false);
      if (!stopped) log.warn({ err: error }, 'listen connection lost');
      next.end().catch(() => undefined);
      reconnectLater();
    };
    next.on('error', lost);
    next.on('end', () => lost());
    next.on('notification', ({ channel }) => (channel === SHOP ? on.shop() : on.moved()));
    try {
      await next.connect();
      await next.query(`LISTEN ${JOBS}; LISTEN ${SHOP}`);
      failures = 0;
      // What was notified while nobody listened is looked for now.
      on.connected(true);
      on.moved();
      on.shop();
    } catch (error) {
      lost(error instanceof Error ? error : undefined);
    }
  }

  void connect();
  return {
    stop: async () => {
      stopped = true;
      clearTimeout(timer);
      const last = client;
      client = undefined;
      await last?.end().catch(() => undefined);
    },
  };
}
