import pg from 'pg';

export type Database = pg.Pool | pg.ClientBase;
export type Pool = pg.Pool;

const CONNECT_LIMIT_MS = 5_000;
/** Then ten probes a second apart: a dead connection, also one that only listens, is found within 15 s. */
const KEEP_ALIVE_AFTER_MS = 4_000;
const STATEMENT_LIMIT_MS = 15_000;
const IDLE_TRANSACTION_LIMIT_MS = 15_000;

/** bigint columns come back as numbers; every one of ours (dong, bytes, lines) stays far below 2^53. */
function parseBigint(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new RangeError(`bigint ${text} does not fit a number`);
  return value;
}

const types: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') =>
    oid === pg.types.builtins.INT8
      ? parseBigint
      : pg.types.getTypeParser(oid, format)) as pg.CustomTypesConfig['getTypeParser'],
};

/**
 * A pool of at most `max` connections with a limit on every wait; `min` of them stay open however long nothing is asked.
 * `onError` hears of connections that break while idle; without a listener such an error would end the process.
 */
export function makePool(options: {
  connectionString: string;
  applicationName: string;
  max: number;
  min?: number;
  onError: (error: Error) => void;
}): Pool {
  const pool = new pg.Pool({
    connectionString: options.connectionString,
    application_name: options.applicationName,
    max: options.max,
    min: options.min ?? 0,
    types,
    connectionTimeoutMillis: CONNECT_LIMIT_MS,
    statement_timeout: STATEMENT_LIMIT_MS,
    idle_in_transaction_session_timeout: IDLE_TRANSACTION_LIMIT_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_AFTER_MS,
  });
  pool.on('error', options.onError);
  // A client in use also emits 'error' when its connection breaks; the query's own rejection tells its caller.
  pool.on('connect', (client) => client.on('error', () => undefined));
  return pool;
}

/** Runs `work` in one transaction: committed when it returns, rolled back when it throws. */
export async function inTransaction<T>(pool: Pool, work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  let broken: Error | undefined;
  try {
    await client.query('BEGIN');
    const result = await work(client);
    await client.query('COMMIT');
    return result;
  } catch (error) {
    await client.query('ROLLBACK').catch((rollbackError: Error) => (broken = rollbackError));
    throw error;
  } finally {
    // A client that could not roll back is closed, not handed to the next caller.
    client.release(broken);
  }
}

/** The one row of a result that has at most one. */
export async function maybeOne<Row extends pg.QueryResultRow>(
  db: Database,
  text: string,
  values: readonly unknown[],
): Promise<Row | undefined> {
  const { rows } = await db.query<Row>(text, values as unknown[]);
  return rows[0];
}
