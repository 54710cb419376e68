import { pino } from 'pino';
import { ConfigError } from '../config/environment.ts';
import { readConfig } from './config.ts';
import { startOrchestrator } from './orchestrator.ts';
import { sweepOnce } from './sweep-once.ts';

const EXIT_BAD_CONFIG = 78;
const STOP_LIMIT_MS = 8_000;

const log = pino({ name: 'orchestrator', level: process.env['LOG_LEVEL'] ?? 'info' });

async function main(): Promise<void> {
  const config = readConfig(process.env);
  if (process.argv.includes('--check')) return log.info('ok');
  // `node orchestrator/main.ts sweep [--dry-run]` with the environment of the service.
  if (process.argv[2] === 'sweep') {
    const strays = await sweepOnce(config, log, process.argv.includes('--dry-run'));
    return log.info({ strays }, 'swept');
  }
  const orchestrator = await startOrchestrator(config, log);
  log.info(
    { url: orchestrator.url, holder: orchestrator.holder, engine: config.engine.name, slots: config.engine.slots },
    'listening',
  );
  const signalled = new Promise<string>((resolve) => {
    process.once('SIGTERM', resolve);
    process.once('SIGINT', resolve);
  });
  process.on('SIGHUP', orchestrator.readSecrets);
  const signal = await Promise.race([signalled, orchestrator.failed]);
  log.info({ signal }, 'handing over');
  setTimeout(() => process.exit(1), STOP_LIMIT_MS).unref();
  await orchestrator.stop();
}

main().then(
  () => process.exit(0),
  (error: unknown) => {
    const badConfig = error instanceof ConfigError;
    log.fatal(badConfig ? { problem: error.message } : { err: error }, 'orchestrator ended');
    process.exit(badConfig ? EXIT_BAD_CONFIG : 1);
  },
);
