/**
 * Brings a database to the current schema: roles (shared by the server), graphile-worker's schema, then ours. Run by an
 * administrator; everything is created and owned by lading_owner. Safe to repeat and to run twice at once.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { runMigrations } from 'graphile-worker';
import { runner } from 'node-pg-migrate';
import pg from 'pg';

export const SERVICE_ROLES = ['lading_owner', 'lading_api', 'lading_orchestrator', 'lading_auditor'] as const;
export type ServiceRole = (typeof SERVICE_ROLES)[number];

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

async function prepareDatabase(admin: pg.Client, passwords: Partial<Record<ServiceRole, string>>): Promise<void> {
  await admin.query(readFileSync(here('roles.sql'), 'utf8'));
  for (const role of SERVICE_ROLES) {
    const password = passwords[role];
    if (password !== undefined) await admin.query(`ALTER ROLE ${role} PASSWORD ${pg.escapeLiteral(password)}`);
  }
  const { rows } = await admin.query<{ name: string }>('SELECT quote_ident(current_database()) AS name');
  const database = rows[0]?.name ?? '';
  await admin.query(`
    REVOKE ALL ON DATABASE ${database} FROM PUBLIC;
    GRANT CREATE ON DATABASE ${database} TO lading_owner;
    GRANT CONNECT ON DATABASE ${database} TO lading_owner, lading_api, lading_orchestrator, lading_auditor;
    GRANT USAGE, CREATE ON SCHEMA public TO lading_owner;
  `);
}

/** `adminUrl` names the database to migrate as a role that may create roles. Passwords are set where given. */
export async function migrate(
  adminUrl: string,
  passwords: Partial<Record<ServiceRole, string>>,
  log: (message: string) => void,
): Promise<void> {
  const admin = new pg.Client({ connectionString: adminUrl });
  await admin.connect();
  try {
    // Serialises migrators of this database; released with the connection.
    await admin.query("SELECT pg_advisory_lock(hashtext('lading migrate'))");
    await prepareDatabase(admin, passwords);
    const owner = new pg.Pool({ connectionString: adminUrl, options: '-c role=lading_owner', max: 2 });
    // Failures surface in the queries; graphile-worker asks for both listeners.
    owner.on('error', () => undefined).on('connect', (client) => client.on('error', () => undefined));
    try {
      await runMigrations({ pgPool: owner });
    } finally {
      await owner.end();
    }
    await admin.query('SET ROLE lading_owner');
    await runner({
      dbClient: admin,
      dir: here('migrations'),
      migrationsTable: 'schema_migrations',
      direction: 'up',
      log,
    });
  } finally {
    await admin.end();
  }
}
