/** A database of a test file's own: a clone of the migrated template, with pools that speak as the services' roles. */
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { urlAs } from '../sandbox/postgres.ts';
import { makePool, type Pool } from '../sql/pool.ts';
import type { ServiceRole } from '../sql/migrate.ts';

export type TestDatabase = {
  urlFor: (role: ServiceRole) => string;
  poolFor: (role: ServiceRole) => Pool;
  drop: () => Promise<void>;
};

export async function makeTestDatabase(): Promise<TestDatabase> {
  const template = new URL(process.env['LADING_TEST_TEMPLATE_URL'] ?? 'missing: run this file with ./script/test FILE');
  const name = `lading_test_${randomBytes(6).toString('hex')}`;
  const adminUrl = new URL(template);
  adminUrl.pathname = '/postgres';
  const asAdmin = async (sql: string): Promise<void> => {
    const client = new pg.Client({ connectionString: adminUrl.href });
    await client.connect();
    await client.query(sql).finally(() => client.end());
  };
  await asAdmin(`CREATE DATABASE ${name} TEMPLATE ${template.pathname.slice(1)} STRATEGY FILE_COPY`);
  // Rights on the database itself are not cloned.
  await asAdmin(`GRANT CONNECT ON DATABASE ${name} TO lading_owner, lading_api, lading_orchestrator, lading_auditor`);
  const password = process.env['LADING_TEST_ROLE_PASSWORD'] || undefined;
  const urlFor = (role: ServiceRole): string => urlAs(adminUrl.href, name, role, password);
  const pools: Pool[] = [];
  return {
    urlFor,
    poolFor: (role) => {
      const pool = makePool({
        connectionString: urlFor(role),
        applicationName: 'test',
        max: 8,
        // As the API has it.
        pipeline: role === 'lading_api',
        onError: () => undefined,
      });
      pools.push(pool);
      return pool;
    },
    drop: async () => {
      await Promise.all(pools.map((pool) => pool.end()));
      await asAdmin(`DROP DATABASE ${name} WITH (FORCE)`);
    },
  };
}
