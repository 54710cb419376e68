import type { Duplex } from 'node:stream';
import pg from 'pg';

export type Database = pg.Pool | pg.ClientBase;
export type Pool = pg.Pool;

const CONNECT_LIMIT_MS = 5_000;
/** Then ten probes a second apart: a dead connection, also one that only listens, is found within 15 s. */
const KEEP_ALIVE_AFTER_MS = 4_000;
const STATEMENT_LIMIT_MS = 15_000;
/**
 * No answer at all: the connection is dead, whatever TCP says of it. Keep-alive does not look while something that was
 * sent is not yet acknowledged.
 */
const ANSWER_LIMIT_MS = 17_000;
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
 * `pipeline`: statements of a connection are sent without waiting for the answers to those before, by `atOnce`.
 * A pool of at most `max` connections with a limit on every wait; `min` of them stay open however long nothing is asked.
 * `onError` hears of connections that break while idle; without a listener such an error would end the process.
 */
export function makePool(options: {
  connectionString: string;
  applicationName: string;
  max: number;
  min?: number;
  pipeline?: boolean;
  answerLimitMs?: number;
  onError: (error: Error) => void;
}): Pool {
  const pool = new pg.Pool({
    connectionString: options.connectionString,
    application_name: options.applicationName,
    max: options.max,
    min: options.min ?? 0,
    pipeline: options.pipeline ?? false,
    types,
    connectionTimeoutMillis: CONNECT_LIMIT_MS,
    statement_timeout: STATEMENT_LIMIT_MS,
    query_timeout: options.answerLimitMs ?? ANSWER_LIMIT_MS,
    idle_in_transaction_session_timeout: IDLE_TRANSACTION_LIMIT_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_AFTER_MS,
  });
  pool.on('error', options.onError);
  // A client in use also emits 'error' when its connection breaks; the query's own rejection tells its caller.
  pool.on('connect', (client) => client.on('error', () => undefined));
  return pool;
}

/** What is sent in `send` leaves in one write: each is a system call, and those are what a busy API spends its time on. */
function inOneWrite<T>(client: pg.ClientBase, send: () => T): T {
  const { stream } = (client as unknown as { connection: { stream: Duplex } }).connection;
  stream.cork();
  try {
    return send();
  } finally {
    stream.uncork();
  }
}

/**
 * Statements none of which needs the answer of another. On a connection that pipelines they are sent together and run in
 * their order, each with a snapshot of its own, as if one had waited for the other; elsewhere one does.
 */
export async function atOnce<T extends readonly unknown[]>(
  db: Database,
  ...statements: { [K in keyof T]: () => Promise<T[K]> }
): Promise<T> {
  if ('pipeline' in db && db.pipeline === true)
    return (await inOneWrite(db as pg.ClientBase, () => Promise.all(statements.map((send) => send())))) as unknown as T;
  const answers: unknown[] = [];
  for (const send of statements) answers.push(await send());
  return answers as unknown as T;
}

/**
 * BEGIN and what the work sends first. On a connection that pipelines they go together: BEGIN fails only where the
 * connection does, and then so does all that was sent behind it.
 */
async function begin<T>(client: pg.PoolClient, work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
  if (!client.pipeline) {
    await client.query('BEGIN');
    return work(client);
  }
  const [begun, working] = inOneWrite(client, () => [client.query('BEGIN'), work(client)] as const);
  begun.catch(() => undefined);
  const result = await working;
  await begun;
  return result;
}

/** The driver's word for a statement that was never answered; it has no code. */
const isSilence = (error: unknown): error is Error => error instanceof Error && error.message === 'Query read timeout';

/** Runs `work` in one transaction: committed when it returns, rolled back when it throws. */
export async function inTransaction<T>(pool: Pool, work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  let broken: Error | undefined;
  try {
    const result = await begin(client, work);
    await client.query('COMMIT');
    return result;
  } catch (error) {
    if (isSilence(error)) broken = error;
    else await client.query('ROLLBACK').catch((rollbackError: Error) => (broken = rollbackError));
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
