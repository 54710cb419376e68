/**
 * Starts one Postgres for the whole run and migrates one template database; database.ts clones it for each test file.
 * fsync is off: what a test proves about crashes is proved by killing our processes, not the database's disk.
 */
import pg from 'pg';
import { startPostgres, type Postgres } from '../sandbox/postgres.ts';
import { migrate, SERVICE_ROLES } from '../sql/migrate.ts';

declare global {
  var ladingTestPostgres: Postgres | undefined;
}

const TEST_PASSWORD = 'only-for-tests-on-loopback';

export default async function postgresUp(): Promise<void> {
  // Each of jest's projects sets up; one server serves them all.
  if (globalThis.ladingTestPostgres) return;
  const server = await startPostgres(process.env['DATABASE_URL'], ['fsync=off', 'full_page_writes=off']);
  globalThis.ladingTestPostgres = server;
  const template = `lading_template_${process.pid}`;
  const admin = new pg.Client({ connectionString: server.adminUrl });
  await admin.connect();
  await admin.query(`CREATE DATABASE ${template}`);
  await admin.end();
  const url = new URL(server.adminUrl);
  url.pathname = `/${template}`;
  const passwords = server.ours ? Object.fromEntries(SERVICE_ROLES.map((role) => [role, TEST_PASSWORD])) : {};
  await migrate(url.href, passwords, () => undefined);
  process.env['LADING_TEST_TEMPLATE_URL'] = url.href;
  process.env['LADING_TEST_ROLE_PASSWORD'] = server.ours ? TEST_PASSWORD : '';
}
