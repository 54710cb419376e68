import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { migrate, SERVICE_ROLES, type ServiceRole } from '../sql/migrate.ts';
import { urlAs, type Postgres } from './postgres.ts';

/** A database of a system's own, migrated; on a server of ours its roles get passwords. */
export async function makeDatabase(server: Postgres, installation: string) {
  const database = `lading_${installation.replaceAll('-', '_')}_${randomBytes(3).toString('hex')}`;
  const asAdmin = async (sql: string): Promise<void> => {
    const client = new pg.Client({ connectionString: server.adminUrl });
    await client.connect();
    try {
      await client.query(sql);
    } finally {
      await client.end();
    }
  };
  await asAdmin(`CREATE DATABASE ${database}`);
  const passwords: Partial<Record<ServiceRole, string>> = server.ours
    ? Object.fromEntries(SERVICE_ROLES.map((role) => [role, randomBytes(18).toString('base64url')]))
    : {};
  const url = new URL(server.adminUrl);
  url.pathname = `/${database}`;
  await migrate(url.href, passwords, () => undefined);
  return {
    urlFor: (role: ServiceRole) => urlAs(server.adminUrl, database, role, passwords[role]),
    drop: async () => {
      if (!server.ours) await asAdmin(`DROP DATABASE ${database} WITH (FORCE)`);
    },
  };
}
