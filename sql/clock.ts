import { maybeOne, type Database } from './pool.ts';

/** The database's clock in unix milliseconds: the one that leases and deadlines go by. */
export async function databaseNowMs(db: Database): Promise<number> {
  const row = await maybeOne<{ ms: number }>(
    db,
    'SELECT (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS ms',
    [],
  );
  if (!row) throw new Error('the database has no clock');
  return row.ms;
}
