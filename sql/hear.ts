import pg from 'pg';

const CONNECT_LIMIT_MS = 5_000;
const KEEP_ALIVE_AFTER_MS = 4_000;

/** A connection of its own that hears what is notified. Nothing is asked over it. */
export type Hearing = {
  /** `heard` gets the payload: the id of what moved. */
  onMoved: (heard: (id: string) => void) => void;
  /** Resolves when the connection is gone, with an error unless it was closed here. */
  ended: Promise<Error | undefined>;
  close: () => Promise<void>;
};

/** Which channel tells of what: an order's id; a job's id; an attempt's id, for each new chunk of its log and its end. */
type Channel = 'lading_orders' | 'lading_jobs' | 'lading_logs';

/** Listens on `channels`. Rejects when Postgres cannot be reached. */
export async function hear(databaseUrl: string, channels: readonly Channel[]): Promise<Hearing> {
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
  for (const channel of channels) await client.query(`LISTEN ${channel}`);
  return {
    onMoved: (heard) => void client.on('notification', ({ payload }) => heard(payload ?? '')),
    ended,
    close: async () => {
      closing = true;
      await client.end();
    },
  };
}
