import pg from 'pg';

const CONNECT_LIMIT_MS = 5_000;
const KEEP_ALIVE_AFTER_MS = 4_000;

/** A connection of its own that hears which orders move. Nothing is asked over it. */
export type Hearing = {
  onMoved: (heard: (orderId: string) => void) => void;
  /** Resolves when the connection is gone, with an error unless it was closed here. */
  ended: Promise<Error | undefined>;
  close: () => Promise<void>;
};

/** Rejects when Postgres cannot be reached. */
export async function hearOrders(databaseUrl: string): Promise<Hearing> {
  const client = new pg.Client({
    connectionString: databaseUrl,
    application_name: 'lading api, listening',
    connectionTimeoutMillis: CONNECT_LIMIT_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_AFTER_MS,
  });
  let closing = false;
  const ended = new Promise<Error | undefined>((resolve) => {
    client.on('error', resolve);
    client.on('end', () => resolve(closing ? undefined : new Error('the connection ended')));
  });
  await client.connect();
  await client.query('LISTEN lading_orders');
  return {
    onMoved: (heard) => void client.on('notification', ({ payload }) => heard(payload ?? '')),
    ended,
    close: async () => {
      closing = true;
      await client.end();
    },
  };
}
