/** How each stand-in runs: parse once, say "listening" once, stop cleanly on a signal. */
import { once } from 'node:events';
import pino from 'pino';
import { z } from 'zod';
import { ConfigError, readEnvironment } from '../config/environment.ts';

export type Log = pino.Logger;
/** What a started stand-in hands back: `fields` go on its "listening" line, `stop` closes every socket. */
export type Running = { fields: { url: string; [name: string]: string }; stop: () => Promise<void> };

const EXIT_CONFIG = 78;
const EXIT_FAILED = 1;

/** Variables that every stand-in reads. */
export const commonEnvironment = {
  HOST: z.string().default('127.0.0.1'),
  LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
};

type Program<S extends z.ZodObject> = {
  name: string;
  schema: S;
  env: Readonly<Record<string, string | undefined>>;
  argv: readonly string[];
  start: (config: z.infer<S>, log: Log) => Promise<Running>;
};

/** Runs until SIGTERM or SIGINT; resolves with the exit code: 0, 78 for a bad environment, 1 when it cannot start. */
export async function runProgram<S extends z.ZodObject>(program: Program<S>): Promise<number> {
  let config: z.infer<S>;
  try {
    config = readEnvironment(program.schema, program.env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return EXIT_CONFIG;
  }
  if (program.argv.includes('--check')) {
    process.stdout.write('ok\n');
    return 0;
  }
  const log = pino({ name: program.name, level: z.object(commonEnvironment).parse(config).LOG_LEVEL });
  const signalled = Promise.race([once(process, 'SIGTERM'), once(process, 'SIGINT')]);
  let running: Running;
  try {
    running = await program.start(config, log);
  } catch (error) {
    log.fatal({ err: error }, 'could not start');
    return EXIT_FAILED;
  }
  log.info(running.fields, 'listening');
  await signalled;
  await running.stop();
  log.info('stopped');
  return 0;
}
