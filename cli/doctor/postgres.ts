import { randomUUID } from 'node:crypto';
import { readdirSync } from 'node:fs';
import pg from 'pg';
import { SERVICE_ROLES } from '../../sql/migrate.ts';
import { clockFinding, fail, ok, reasonOf, warn, type Finding } from './finding.ts';

const LIMIT_MS = 5_000;
const MIGRATIONS = new URL('../../sql/migrations', import.meta.url);

async function roles(client: pg.Client): Promise<Finding> {
  const { rows } = await client.query<{ rolname: string }>(
    'SELECT rolname FROM pg_roles WHERE rolname = ANY ($1::text[])',
    [SERVICE_ROLES],
  );
  const missing = SERVICE_ROLES.filter((role) => !rows.some(({ rolname }) => rolname === role));
  if (missing.length > 0) return fail('roles', `missing: ${missing.join(', ')}`, 'node sql/main.ts migrate');
  return ok('roles', SERVICE_ROLES.join(', '));
}

async function schema(client: pg.Client): Promise<Finding> {
  const ours = readdirSync(MIGRATIONS).map((name) => name.replace(/\.sql$/, ''));
  const { rows } = await client.query<{ there: boolean }>(
    `SELECT to_regclass('public.queue_pause') IS NOT NULL AS there`,
  );
  const last = ours.toSorted().at(-1) ?? '';
  if (!rows[0]?.there) return fail('schema', 'older than this command', 'node sql/main.ts migrate');
  const applied = await client
    .query<{ name: string }>('SELECT name FROM schema_migrations ORDER BY id DESC LIMIT 1')
    .catch(() => undefined);
  // Only lading_owner may read which migrations ran.
  if (!applied) return ok('schema', 'there');
  const newest = applied.rows[0]?.name ?? 'none';
  return newest === last ? ok('schema', newest) : fail('schema', `${newest}, not ${last}`, 'node sql/main.ts migrate');
}

/** A notification to ourselves comes back, or the orchestrators would hear nothing either. */
async function listen(client: pg.Client): Promise<Finding> {
  const channel = `lading_doctor_${randomUUID().replaceAll('-', '')}`;
  const heard = new Promise<boolean>((resolve) => {
    const limit = setTimeout(() => resolve(false), LIMIT_MS);
    client.once('notification', () => {
      clearTimeout(limit);
      resolve(true);
    });
  });
  await client.query(`LISTEN ${channel}`);
  await client.query('SELECT pg_notify($1, $2)', [channel, '']);
  if (await heard) return ok('LISTEN', 'a notification comes back');
  const remedy = 'a pooler in transaction mode stands in between: connect to Postgres itself';
  return fail('LISTEN', `nothing heard within ${LIMIT_MS} ms`, remedy);
}

async function clock(client: pg.Client): Promise<Finding> {
  const before = Date.now();
  const { rows } = await client.query<{ ms: string }>('SELECT extract(epoch FROM clock_timestamp()) * 1000 AS ms');
  return clockFinding('clock of Postgres', Number(rows[0]?.ms) - (before + Date.now()) / 2);
}

/** As whatever role DATABASE_URL names. */
export async function checkPostgres(url: string | undefined): Promise<Finding[]> {
  if (url === undefined) return [warn('postgres', 'not looked at', 'set DATABASE_URL_FILE to look at it too')];
  const client = new pg.Client({
    connectionString: url,
    application_name: 'lading doctor',
    connectionTimeoutMillis: LIMIT_MS,
    query_timeout: LIMIT_MS,
  });
  client.on('error', () => undefined); // the query tells
  try {
    await client.connect();
    const { rows } = await client.query<{ role: string; version: string }>(
      `SELECT current_user AS role, current_setting('server_version') AS version`,
    );
    const reached = ok('postgres', `${rows[0]?.version}, as ${rows[0]?.role}`);
    return [reached, await roles(client), await schema(client), await listen(client), await clock(client)];
  } catch (error) {
    return [fail('postgres', reasonOf(error), 'is it running, and is DATABASE_URL_FILE right?')];
  } finally {
    await client.end().catch(() => undefined);
  }
}
