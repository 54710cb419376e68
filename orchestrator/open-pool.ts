import type { Logger } from 'pino';
import { makePool, type Pool } from '../sql/pool.ts';
import type { Config } from './config.ts';

/** Two are pinned by graphile-worker, the rest serve tasks, observers and reconcile. */
const POOL_SPARE_CONNECTIONS = 6;
/** With those two; opening one anew takes longer than a standby takes to run its job. */
const POOL_MIN_CONNECTIONS = 5;

export const openPool = (config: Config, holder: string, log: Logger): Pool =>
  makePool({
    connectionString: config.databaseUrl,
    applicationName: `lading orchestrator ${holder}`,
    max: config.taskConcurrency + POOL_SPARE_CONNECTIONS,
    min: POOL_MIN_CONNECTIONS,
    onError: (error) => log.warn({ err: error }, 'idle database connection broke'),
  });
