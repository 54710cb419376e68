/** The operators' and auditors' command line: `node cli/main.ts --help`. */
import { once } from 'node:events';
import { Command, InvalidArgumentError } from 'commander';
import { z } from 'zod';
import { ConfigError, readEnvironment } from '../config/environment.ts';
import { makePool, type Pool } from '../sql/pool.ts';
import { putCourses, showCourses } from './courses.ts';
import { showDeadLetters, showJob, showJobs, showLogs } from './jobs.ts';
import { showUnplaced } from './payments.ts';

const EXIT_CONFIG = 78;
const environment = z.object({ DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/ }) });

/** Gives `work` a connection and prints what it says, at the reader's pace. */
async function answer(work: (pool: Pool) => Promise<string> | AsyncIterable<string>): Promise<void> {
  const { DATABASE_URL } = readEnvironment(environment, process.env);
  const pool = makePool({
    connectionString: DATABASE_URL,
    applicationName: 'lading cli',
    max: 1,
    onError: () => undefined, // the next query tells
  });
  try {
    const said = work(pool);
    for await (const text of Symbol.asyncIterator in said ? said : [await said])
      if (!process.stdout.write(text)) await once(process.stdout, 'drain');
  } finally {
    await pool.end();
  }
}

function attemptNumber(text: string): number {
  if (!/^[1-9]\d{0,3}$/.test(text)) throw new InvalidArgumentError('is a number from 1');
  return Number(text);
}

const program = new Command('lading')
  .description('Looks after courses, jobs and payments. DATABASE_URL or DATABASE_URL_FILE names the database.')
  .showHelpAfterError();
const courses = program.command('courses').description('the catalogue');
courses
  .command('put <file>')
  .description('make or renew the courses of a JSON file (as lading_owner)')
  .action((file: string) => answer((pool) => putCourses(pool, file)));
courses
  .command('list')
  .description('the courses that can be ordered')
  .option('--json')
  .action((options: { json?: true }) => answer((pool) => showCourses(pool, options.json ?? false)));

const jobs = program.command('jobs').description('paid orders at work');
jobs
  .command('list')
  .option('--state <state>', 'only jobs in this state')
  .option('--json')
  .action((options: { state?: string; json?: true }) =>
    answer((pool) => showJobs(pool, options.state, options.json ?? false)),
  );
jobs
  .command('show')
  .argument('<job>', "a job's id or its order's code")
  .option('--json')
  .action((job: string, options: { json?: true }) => answer((pool) => showJob(pool, job, options.json ?? false)));

program
  .command('logs')
  .description('what the container of an attempt said')
  .argument('<job>', "a job's id or its order's code")
  .option('--attempt <n>', 'which attempt (default: the last)', attemptNumber)
  .option('--raw', 'only the text, unchanged: control characters reach your terminal')
  .action((job: string, options: { attempt?: number; raw?: true }) =>
    answer((pool) => showLogs(pool, job, { attempt: options.attempt, raw: options.raw ?? false })),
  );

program
  .command('dead-letters')
  .description('jobs that will not run again by themselves')
  .option('--json')
  .action((options: { json?: true }) => answer((pool) => showDeadLetters(pool, options.json ?? false)));

program
  .command('payments')
  .description('money')
  .command('unplaced')
  .description('transfers that wait for an operator')
  .option('--json')
  .action((options: { json?: true }) => answer((pool) => showUnplaced(pool, options.json ?? false)));

// A reader such as `head` may leave early.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));
try {
  await program.parseAsync();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = error instanceof ConfigError ? EXIT_CONFIG : 1;
}
