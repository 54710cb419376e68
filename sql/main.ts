/** One-shot: `node sql/main.ts migrate`. */
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { z } from 'zod';
import { ConfigError, readEnvironment } from '../config/environment.ts';
import { migrate } from './migrate.ts';

const log = pino({ name: 'migrate' });
const SERVER_WAIT_LIMIT_MS = 60_000;
const SERVER_WAIT_STEP_MS = 500;

const environment = z.object({
  DATABASE_ADMIN_URL: z.url({ protocol: /^postgres(ql)?$/ }),
  DATABASE_OWNER_PASSWORD: z.string().min(16),
  DATABASE_API_PASSWORD: z.string().min(16),
  DATABASE_ORCHESTRATOR_PASSWORD: z.string().min(16),
  DATABASE_AUDITOR_PASSWORD: z.string().min(16),
});

const isServerAway = (error: unknown): boolean =>
  error instanceof Error &&
  'code' in error &&
  ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', '57P03'].includes(String(error.code));

async function migrateWhenUp(config: z.infer<typeof environment>): Promise<void> {
  const giveUpAt = Date.now() + SERVER_WAIT_LIMIT_MS;
  for (;;) {
    try {
      return await migrate(
        config.DATABASE_ADMIN_URL,
        {
          lading_owner: config.DATABASE_OWNER_PASSWORD,
          lading_api: config.DATABASE_API_PASSWORD,
          lading_orchestrator: config.DATABASE_ORCHESTRATOR_PASSWORD,
          lading_auditor: config.DATABASE_AUDITOR_PASSWORD,
        },
        (message) => log.info(message),
      );
    } catch (error) {
      if (!isServerAway(error) || Date.now() > giveUpAt) throw error;
      await sleep(SERVER_WAIT_STEP_MS);
    }
  }
}

try {
  if (process.argv[2] !== 'migrate') throw new ConfigError('usage: node sql/main.ts migrate [--check]');
  const config = readEnvironment(environment, process.env);
  if (process.argv.includes('--check')) log.info('ok');
  else {
    await migrateWhenUp(config);
    log.info('migrated');
  }
} catch (error) {
  log.fatal(error instanceof ConfigError ? { problem: error.message } : { err: error }, 'not migrated');
  process.exitCode = error instanceof ConfigError ? 78 : 1;
}
