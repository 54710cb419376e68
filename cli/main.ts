#!/usr/bin/env node
/** The operators' and auditors' command line: `node cli/main.ts --help`. */
import { once } from 'node:events';
import { userInfo } from 'node:os';
import { z } from 'zod';
import { ConfigError, readEnvironment } from '../config/environment.ts';
import { makePool } from '../sql/pool.ts';
import { makeProgram, type Terminal } from './program.ts';

const EXIT_CONFIG = 78;
const environment = z.object({
  DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/ }),
  /** Who is at work, where the account at the terminal does not say it. */
  LADING_OPERATOR: z.string().max(200).optional(),
});
const interrupted = new AbortController();

/** The account this runs under; a container's may have no name. */
function account(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid ${process.getuid?.() ?? 'unknown'}`;
  }
}

/** Prints at the reader's pace, until the end or an interruption. */
async function printAll(texts: AsyncIterable<string>): Promise<void> {
  for await (const text of texts) {
    if (!process.stdout.write(text)) await once(process.stdout, 'drain', { signal: interrupted.signal });
    if (interrupted.signal.aborted) return;
  }
}

const answer: Terminal['answer'] = async (work) => {
  const { DATABASE_URL, LADING_OPERATOR } = readEnvironment(environment, process.env);
  const pool = makePool({
    connectionString: DATABASE_URL,
    applicationName: 'lading cli',
    max: 1,
    onError: () => undefined, // the next query tells
  });
  try {
    const said = work(pool, LADING_OPERATOR ?? account());
    if (Symbol.asyncIterator in said) await printAll(said);
    else process.stdout.write(await said);
  } catch (error) {
    if (!interrupted.signal.aborted) throw error;
  } finally {
    await pool.end();
  }
};

const program = makeProgram({
  answer,
  print: (text) => void process.stdout.write(text),
  catchInterrupt: () => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupted.abort());
    return interrupted.signal;
  },
  fail: () => (process.exitCode = 1),
});
// A reader such as `head` may leave early.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));
try {
  await program.parseAsync();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = error instanceof ConfigError ? EXIT_CONFIG : 1;
}
