import type { Command } from 'commander';
import { z } from 'zod';
import type { Reading } from '../sql/logs.ts';
import { followLog } from './follow-log.ts';
import { json, table } from './print.ts';
import { inPath, JOB, wholeNumber, type Shown, type Terminal } from './terminal.ts';
import { proveLogs, showProofs } from './verify-logs.ts';

const ATTEMPT: [string, string, (text: string) => number] = [
  '--attempt <n>',
  'which attempt (default: the last)',
  wholeNumber(9_999),
];
type LogFlags = Shown & { attempt?: number; follow?: true; since?: string; raw?: true; reason?: string };

export function addLogs(program: Command, { overApi, onPostgres, catchInterrupt, fail }: Terminal): void {
  const logs = program.command('logs').description('what the containers of attempts said, and who read it');
  logs
    .command('show', { isDefault: true })
    .description('the log of one attempt; `logs JOB` for short. Each read is recorded')
    .argument(...JOB)
    .option(...ATTEMPT)
    .option('--follow', 'go on with what is said from now, until the attempt ends')
    .option('--since <when>', 'nothing older, by the time of the engine: 90s, 10m, 2h, 1d or a timestamp')
    .option('--raw', 'only the text, unchanged: control characters reach your terminal')
    .option('--reason <text>', 'why you read it; stays in the record')
    .option('--json', 'a JSON object a line')
    .action((job: string, { attempt, since, reason, ...flags }: LogFlags) => {
      const interrupted = catchInterrupt();
      const { follow = false, raw = false, json: asJson = false } = flags;
      return overApi((api) => followLog(api, job, { attempt, since, reason, follow, raw, json: asJson }, interrupted));
    });
  logs
    .command('reads')
    .description('who read the logs of a job')
    .argument(...JOB)
    .option('--json')
    .action((job: string, options: Shown) =>
      overApi(async (api) => {
        const answer = await api.get(`/v1/jobs/${inPath(job)}/log-reads`);
        const { reads } = z.object({ reads: z.array(z.record(z.string(), z.unknown())) }).parse(answer);
        if (options.json) return json(reads);
        return table(reads, [
          'lastAt',
          'attempt',
          'reader',
          'person',
          'address',
          'via',
          'reason',
          'fromChunk',
          'toChunk',
        ]);
      }),
    );
  logs
    .command('verify')
    .description('prove on Postgres that logs are complete and unchanged; ends with 1 if one is not')
    .argument('[job]', JOB[1])
    .option(...ATTEMPT)
    .option('--all', 'every attempt there is')
    .option('--json')
    .action(async (job: string | undefined, options: Shown & { attempt?: number; all?: true }, command: Command) => {
      if ((job === undefined) !== (options.all === true)) command.error('error: name a job, or give --all');
      await onPostgres((pool, person) => {
        const reading: Reading = { person, reason: undefined, via: 'lading logs verify' };
        const proofs = proveLogs(pool, job, options.attempt, reading);
        return showProofs(proofs, options.json ?? false, fail);
      });
    });
}
