#!/usr/bin/env node
/** The operators' and auditors' command line: `node cli/main.ts --help`. */
import { once } from 'node:events';
import { userInfo } from 'node:os';
import { CommanderError } from 'commander';
import { z } from 'zod';
import { ConfigError, readEnvironment } from '../config/environment.ts';
import { makePool } from '../sql/pool.ts';
import { makeApiClient } from './api-client.ts';
import { apiUrl } from './api-url.ts';
import { examine, readExamination } from './doctor.ts';
import { CommandError, EXIT } from './exit.ts';
import { readKeyFile } from './key-file.ts';
import { makeProgram } from './program.ts';
import type { Said } from './terminal.ts';

const onPostgres = z.object({
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
async function print(said: Said): Promise<void> {
  try {
    if (!(Symbol.asyncIterator in said)) {
      process.stdout.write(await said);
      return;
    }
    for await (const text of said) {
      if (!process.stdout.write(text)) await once(process.stdout, 'drain', { signal: interrupted.signal });
      if (interrupted.signal.aborted) return;
    }
  } catch (error) {
    if (!interrupted.signal.aborted) throw error;
  }
}

const program = makeProgram({
  print: (text) => void process.stdout.write(text),
  overApi: (work) => print(work(makeApiClient(apiUrl(process.env), readKeyFile(process.env['LADING_KEY_FILE'])))),
  onPostgres: async (work) => {
    const { DATABASE_URL, LADING_OPERATOR } = readEnvironment(onPostgres, process.env);
    const pool = makePool({
      connectionString: DATABASE_URL,
      applicationName: 'lading cli',
      max: 1,
      onError: () => undefined, // the next query tells
    });
    try {
      await print(work(pool, LADING_OPERATOR ?? account()));
    } finally {
      await pool.end();
    }
  },
  doctor: () => examine(readExamination(process.env)),
  catchInterrupt: () => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupted.abort());
    return interrupted.signal;
  },
  fail: () => (process.exitCode = EXIT.no),
});

const AWAY: ReadonlySet<unknown> = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'ETIMEDOUT', '57P03']);

function codeOf(error: unknown): number {
  if (error instanceof CommandError) return error.code;
  if (error instanceof ConfigError) return EXIT.config;
  return error instanceof Error && 'code' in error && AWAY.has(error.code) ? EXIT.away : EXIT.no;
}

// A reader such as `head` may leave early.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));
try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  else {
    console.error(error instanceof Error ? error.message || error.name : error);
    process.exitCode = codeOf(error);
  }
}
