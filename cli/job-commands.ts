import type { Command } from 'commander';
import { z } from 'zod';
import type { ApiClient } from './api-client.ts';
import { fields, json, table } from './print.ts';
import { inPath, JOB, LIMIT, wholeNumber, type Shown, type Terminal } from './terminal.ts';

const FILES_SHOWN_MAX = 20;
const rows = z.array(z.record(z.string(), z.unknown()));

const shownJob = z.looseObject({
  order: z.looseObject({}),
  delivery: z.looseObject({}).nullable(),
  attemptList: rows,
  timeline: rows,
  files: rows,
  filesTotal: z.int(),
});

/** One job with its order, attempts, files, delivery and all that happened to it. */
async function showJob(api: ApiClient, name: string, asJson: boolean): Promise<string> {
  const answer = await api.get(`/v1/jobs/${inPath(name)}`);
  if (asJson) return json(answer);
  const { order, delivery, attemptList, timeline, files, filesTotal, ...job } = shownJob.parse(answer);
  const more = filesTotal > FILES_SHOWN_MAX ? `… of ${filesTotal} (--json shows more)\n` : '';
  return [
    `JOB\n${fields(job)}`,
    `ORDER\n${fields(order)}`,
    ...attemptList.map((attempt) => `ATTEMPT ${String(attempt['n'])}\n${fields(attempt)}`),
    `FILES\n${table(files.slice(0, FILES_SHOWN_MAX), ['path', 'bytes', 'sha256', 'driveId'])}${more}`,
    `DELIVERY\n${delivery ? fields(delivery) : '(none)\n'}`,
    `TIMELINE\n${table(timeline, ['at', 'subject', 'from', 'to', 'actor', 'detail'])}`,
  ].join('\n');
}

const answered = (name: string, answer: unknown, asJson: boolean | undefined): string =>
  asJson ? json(answer) : `${name}: ${z.object({ result: z.string() }).parse(answer).result}\n`;

export function addJobs(program: Command, { overApi }: Terminal): void {
  const jobs = program.command('jobs').description('paid orders at work');
  jobs
    .command('list')
    .description('the newest first')
    .option('--state <state>', 'only jobs in this state')
    .option('--dead-reason <reason>', 'only jobs that died of this')
    .option('--course <id>')
    .option(...LIMIT)
    .option('--json')
    .action((options: Shown & { state?: string; deadReason?: string; course?: string; limit: number }) =>
      overApi(async (api) => {
        const { state, deadReason, course: courseId, limit } = options;
        const found = await api.list('/v1/jobs', 'jobs', { state, deadReason, courseId }, limit);
        if (options.json) return json(found);
        return table(found, [
          'id',
          'orderCode',
          'courseId',
          'state',
          'attempts',
          'priority',
          'deadReason',
          'updatedAt',
        ]);
      }),
    );
  jobs
    .command('show')
    .description('one job with everything about it, its timeline included')
    .argument(...JOB)
    .option('--json')
    .action((job: string, options: Shown) => overApi((api) => showJob(api, job, options.json ?? false)));
  for (const [name, description] of [
    ['cancel', 'end a job at whatever point it is: dead at once, or stopping until its container has ended'],
    ['retry', 'send a dead job on its way again, from the start and with all its attempts'],
  ] as const)
    jobs
      .command(name)
      .description(description)
      .argument(...JOB)
      .requiredOption('--reason <text>', 'why; stays with the job')
      .option('--json')
      .action((job: string, { reason, ...options }: Shown & { reason: string }) =>
        overApi(async (api) =>
          answered(job, await api.send('POST', `/v1/jobs/${inPath(job)}/${name}`, { reason }), options.json),
        ),
      );
  jobs
    .command('priority')
    .description('give a job another place in the queue: above 0 less urgent, below 0 more')
    .argument(...JOB)
    .argument('<priority>', 'from -10 to 10; a step is 100 places', wholeNumber(10, -10))
    .option('--json')
    .action((job: string, priority: number, options: Shown) =>
      overApi(async (api) => {
        const answer = await api.send('PUT', `/v1/jobs/${inPath(job)}/priority`, { priority });
        return options.json ? json(answer) : `${job}: ${priority}\n`;
      }),
    );
}

type Filter = { reasonIs?: string; course?: string; diedAfter?: string; diedBefore?: string };
const filterOf = ({ reasonIs, course, diedAfter, diedBefore }: Filter) => ({
  deadReason: reasonIs,
  courseId: course,
  diedAfter,
  diedBefore,
});
const withFilter = (command: Command): Command =>
  command
    .option('--reason-is <reason>', 'why they died, for example attempts_exhausted')
    .option('--course <id>')
    .option('--died-after <time>', 'for example 2026-01-31T08:00:00Z')
    .option('--died-before <time>');

const redriven = z.object({
  jobs: z.array(z.object({ id: z.string(), orderCode: z.string(), deadReason: z.string(), result: z.string() })),
  more: z.boolean(),
});

export function addDeadLetters(program: Command, { overApi, fail }: Terminal): void {
  const letters = program.command('dead-letters').description('jobs that will not run again by themselves');
  withFilter(letters.command('list', { isDefault: true }))
    .description('the latest first, each with what became of its attempts')
    .option(...LIMIT)
    .option('--json')
    .action((options: Shown & Filter & { limit: number }) =>
      overApi(async (api) => {
        const found = await api.list('/v1/dead-letters', 'deadLetters', filterOf(options), options.limit);
        if (options.json) return json(found);
        const attempt = z.array(
          z.object({ n: z.int(), outcome: z.string().nullable(), detail: z.string().nullable() }),
        );
        const told = found.map((letter) => ({
          ...letter,
          attempts: attempt
            .parse(letter['attempts'])
            .map(({ n, outcome, detail }) => `${n}: ${outcome ?? 'open'} (${detail ?? ''})`)
            .join('; '),
        }));
        return table(told, [
          'id',
          'orderCode',
          'courseId',
          'deadReason',
          'deadDetail',
          'diedAt',
          'attempts',
        ] as never[]);
      }),
    );
  withFilter(letters.command('redrive'))
    .description('send the dead jobs that the filter finds on their way again, those that died first')
    .requiredOption('--reason <text>', 'why; stays with each job')
    .option('--limit <n>', 'at most so many', wholeNumber(100), 100)
    .option('--dry-run', 'only say which')
    .option('--json')
    .action((options: Shown & Filter & { reason: string; limit: number; dryRun?: true }) =>
      overApi(async (api) => {
        const { reason, limit, dryRun = false } = options;
        const answer = redriven.parse(
          await api.send('POST', '/v1/dead-letters/redrive', { filter: filterOf(options), reason, limit, dryRun }),
        );
        if (answer.jobs.some(({ result }) => !result.endsWith('redriven'))) fail();
        if (options.json) return json(answer);
        const more = answer.more ? 'There may be more: call again.\n' : '';
        return `${table(answer.jobs, ['orderCode', 'id', 'deadReason', 'result'])}${more}`;
      }),
    );
}
