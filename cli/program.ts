/** The commands and their options; main.ts runs them. */
import { Command, InvalidArgumentError } from 'commander';
import { KEY_ROLES, type KeyRole } from '../sql/api-keys.ts';
import type { Reading } from '../sql/logs.ts';
import type { Pool } from '../sql/pool.ts';
import { putCourses, showCourses } from './courses.ts';
import { showEngines } from './engines.ts';
import { allRedriven, cancel, redriveAll, showRedriven } from './interventions.ts';
import { showDeadLetters, showJob, showJobs } from './jobs.ts';
import { showLogReads, showLogs } from './logs.ts';
import { explainOutcomes } from './outcomes.ts';
import { createApiKey, revokeApiKey, rotateApiKey, showKeys } from './keys.ts';
import { addRotation } from './rotation-commands.ts';
import { addShop } from './shop.ts';
import { showInbox, showLedger, showUnplaced } from './payments.ts';
import { proveLogs, showProofs } from './verify-logs.ts';

/** What a command says: at once, or bit by bit. */
type Said = Promise<string> | AsyncIterable<string>;
export type Terminal = {
  print: (text: string) => void;
  /** Gives `work` a connection and the name of the person at work, and prints what it says. */
  answer: (work: (pool: Pool, person: string) => Said) => Promise<void>;
  /** From now on Ctrl-C does not end the process but aborts this, once. */
  catchInterrupt: () => AbortSignal;
  /** The answer is printed, and it is not a good one: the process ends with 1. */
  fail: () => void;
};

function attemptNumber(text: string): number {
  if (!/^[1-9]\d{0,3}$/.test(text)) throw new InvalidArgumentError('is a number from 1');
  return Number(text);
}

const MAX_KEY_DAYS = 400;
const MAX_OVERLAP_HOURS = 24 * 30;
const wholeNumber =
  (max: number) =>
  (text: string): number => {
    if (!/^[1-9]\d{0,5}$/.test(text) || Number(text) > max)
      throw new InvalidArgumentError(`is a number from 1 to ${max}`);
    return Number(text);
  };

function keyRole(text: string): KeyRole {
  const role = KEY_ROLES.find((one) => one === text);
  if (role === undefined) throw new InvalidArgumentError(`is one of ${KEY_ROLES.join(', ')}`);
  return role;
}

const JOB: [string, string] = ['<job>', "a job's id or its order's code"];
type Shown = { json?: true };

function addCourses(program: Command, { answer }: Terminal): void {
  const courses = program.command('courses').description('the catalogue');
  courses
    .command('put <file>')
    .description('make or renew the courses of a JSON file (as lading_owner)')
    .action((file: string) => answer((pool) => putCourses(pool, file)));
  courses
    .command('list')
    .description('the courses that can be ordered')
    .option('--json')
    .action((options: Shown) => answer((pool) => showCourses(pool, options.json ?? false)));
}

function addJobs(program: Command, { answer, fail }: Terminal): void {
  const jobs = program.command('jobs').description('paid orders at work');
  jobs
    .command('list')
    .option('--state <state>', 'only jobs in this state')
    .option('--json')
    .action((options: Shown & { state?: string }) =>
      answer((pool) => showJobs(pool, options.state, options.json ?? false)),
    );
  jobs
    .command('show')
    .argument(...JOB)
    .option('--json')
    .action((job: string, options: Shown) => answer((pool) => showJob(pool, job, options.json ?? false)));
  jobs
    .command('redrive')
    .description('send dead jobs on their way again, with all their attempts (as lading_owner)')
    .argument('[job...]', JOB[1])
    .option('--all', 'every dead job with the reason that --reason-is names')
    .option('--reason-is <reason>', 'why they died, for example attempts_exhausted')
    .option('--reason <text>', 'why you do it')
    .option('--dry-run', 'only say which')
    .option('--json')
    .action(
      async (
        names: string[],
        options: Shown & { all?: true; reasonIs?: string; reason?: string; dryRun?: true },
        command: Command,
      ) => {
        const isBulk = options.all === true && options.reasonIs !== undefined;
        if (isBulk ? names.length > 0 : names.length === 0 || options.all || options.reasonIs !== undefined)
          command.error('error: name the jobs, or give --all and --reason-is');
        await answer(async (pool, person) => {
          const which = options.reasonIs === undefined ? { jobs: names } : { reasonIs: options.reasonIs };
          const said = { person, reason: options.reason };
          const redriven = await redriveAll(pool, which, said, options.dryRun ?? false);
          if (!allRedriven(redriven)) fail();
          return showRedriven(redriven, options.json ?? false);
        });
      },
    );
  program
    .command('cancel')
    .description('end a job at whatever point it is: dead, stopping, or too_late (as lading_owner)')
    .argument(...JOB)
    .requiredOption('--reason <text>', 'why; stays with the job')
    .action((job: string, options: { reason: string }) =>
      answer(async (pool, person) => {
        const answered = await cancel(pool, job, { person, reason: options.reason });
        if (answered !== 'dead' && answered !== 'stopping') fail();
        return `${answered}\n`;
      }),
    );
  program
    .command('dead-letters')
    .description('jobs that will not run again by themselves')
    .option('--json')
    .action((options: Shown) => answer((pool) => showDeadLetters(pool, options.json ?? false)));
}

function addLogs(program: Command, { answer, catchInterrupt, fail }: Terminal): void {
  const logs = program.command('logs').description('what the containers of attempts said, and who read it');
  type LogFlags = { attempt?: number; follow?: true; since?: string; raw?: true; reason?: string };
  logs
    .command('show', { isDefault: true })
    .description('the log of one attempt; `logs JOB` for short. Each read is recorded')
    .argument(...JOB)
    .option('--attempt <n>', 'which attempt (default: the last)', attemptNumber)
    .option('--follow', 'go on with what is said from now, until the attempt ends')
    .option('--since <when>', 'nothing older, by the time of the engine: 90s, 10m, 2h, 1d or a timestamp')
    .option('--raw', 'only the text, unchanged: control characters reach your terminal')
    .option('--reason <text>', 'why you read it; stays in the record')
    .action((job: string, { attempt, since, reason, ...flags }: LogFlags) => {
      const interrupted = catchInterrupt();
      const follow = flags.follow ?? false;
      return answer((pool, person) => {
        const reading: Reading = { person, reason, via: follow ? 'lading logs --follow' : 'lading logs' };
        return showLogs(pool, job, { attempt, follow, since, raw: flags.raw ?? false, reading }, interrupted);
      });
    });
  logs
    .command('verify')
    .description('prove that logs are complete and unchanged; ends with 1 if one is not')
    .argument('[job]', JOB[1])
    .option('--attempt <n>', 'only this attempt', attemptNumber)
    .option('--all', 'every attempt there is')
    .option('--json')
    .action(async (job: string | undefined, options: Shown & { attempt?: number; all?: true }, command: Command) => {
      if ((job === undefined) !== (options.all === true)) command.error('error: name a job, or give --all');
      await answer((pool, person) => {
        const reading: Reading = { person, reason: undefined, via: 'lading logs verify' };
        const proofs = proveLogs(pool, job, options.attempt, reading);
        return showProofs(proofs, options.json ?? false, fail);
      });
    });
  logs
    .command('reads')
    .description('who read the logs of a job')
    .argument(...JOB)
    .option('--json')
    .action((job: string, options: Shown) => answer((pool) => showLogReads(pool, job, options.json ?? false)));
}

function addKeys(program: Command, terminal: Terminal): void {
  const { answer, fail } = terminal;
  const keys = program.command('keys').description("keys of the operators' API (as lading_owner)");
  keys
    .command('create <name>')
    .description('make a key; it is shown once')
    .requiredOption('--role <role>', 'operator, auditor or shop', keyRole)
    .option('--days <n>', 'how long it opens', wholeNumber(MAX_KEY_DAYS), 90)
    .option('--json')
    .action((name: string, options: Shown & { role: KeyRole; days: number }) =>
      answer((pool, person) => createApiKey(pool, { ...options, name, createdBy: person }, options.json ?? false)),
    );
  keys
    .command('rotate <prefix>')
    .description('make a key in place of another, which opens a while longer')
    .option('--days <n>', 'how long the new one opens', wholeNumber(MAX_KEY_DAYS), 90)
    .option('--overlap-hours <n>', 'how long the old one opens', wholeNumber(MAX_OVERLAP_HOURS), 24)
    .option('--json')
    .action((prefix: string, options: Shown & { days: number; overlapHours: number }) =>
      answer((pool, person) => rotateApiKey(pool, prefix, { ...options, createdBy: person }, options.json ?? false)),
    );
  keys
    .command('revoke <prefix>')
    .description('end a key now')
    .action((prefix: string) =>
      answer(async (pool) => {
        const revoked = await revokeApiKey(pool, prefix);
        if (!revoked) fail();
        return revoked ? 'revoked\n' : 'no such key is valid\n';
      }),
    );
  keys
    .command('list')
    .option('--json')
    .action((options: Shown) => answer((pool) => showKeys(pool, options.json ?? false)));
  addRotation(keys, terminal);
}

export function makeProgram(terminal: Terminal): Command {
  const program = new Command('lading')
    .description(
      'Looks after courses, jobs and payments. DATABASE_URL or DATABASE_URL_FILE names the database, LADING_OPERATOR you.',
    )
    .showHelpAfterError();
  addCourses(program, terminal);
  addJobs(program, terminal);
  addLogs(program, terminal);
  const { answer, print } = terminal;
  program
    .command('outcomes')
    .description('how an attempt can end')
    .command('explain')
    .description('what each outcome means and what happens next')
    .option('--json')
    .action((options: Shown) => print(explainOutcomes(options.json ?? false)));

  program
    .command('engines')
    .description('where containers run')
    .command('list')
    .description('what each engine has room for, and what of it is taken')
    .option('--json')
    .action((options: Shown) => answer((pool) => showEngines(pool, options.json ?? false)));

  const payments = program.command('payments').description('money');
  payments
    .command('unplaced')
    .description('transfers that wait for an operator')
    .option('--json')
    .action((options: Shown) => answer((pool) => showUnplaced(pool, options.json ?? false)));
  payments
    .command('inbox')
    .description('all that waits for a decision: unplaced money, and events that were not understood')
    .option('--json')
    .action((options: Shown) => answer((pool) => showInbox(pool, options.json ?? false)));
  payments
    .command('ledger')
    .description('how much money stands where; together it is the feed of the bank')
    .option('--json')
    .action((options: Shown) => answer((pool) => showLedger(pool, options.json ?? false)));
  addKeys(program, terminal);
  addShop(program, terminal);
  return program;
}
