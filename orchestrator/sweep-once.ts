import type { Logger } from 'pino';
import type { Config } from './config.ts';
import { makeDockerEngine } from './engine/docker.ts';
import { openPool } from './open-pool.ts';
import { sweep } from './sweep.ts';

/** Lists (and without `dryRun` removes) the containers of this engine that nobody owns; answers their ids. */
export async function sweepOnce(config: Config, log: Logger, dryRun: boolean): Promise<string[]> {
  const pool = openPool(config, 'sweep', log);
  try {
    const engine = makeDockerEngine(config.engine.dockerHost);
    await engine.ping();
    return await sweep(
      { pool, engine, engineName: config.engine.name, installation: config.installation, log },
      { dryRun },
    );
  } finally {
    await pool.end();
  }
}
