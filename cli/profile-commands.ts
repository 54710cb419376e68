import type { Command } from 'commander';
import { z } from 'zod';
import { json, table } from './print.ts';
import { wholeNumber, type Shown, type Terminal } from './terminal.ts';

const MIB = 1024 * 1024;
const DAYS_MAX = 366;
const DAYS_DEFAULT = 30;

const advice = z.object({
  limit: z.int().nullable(),
  p95: z.int().nullable(),
  max: z.int().nullable(),
  verdict: z.string(),
  suggested: z.int().nullable(),
  reason: z.string(),
});
type Advice = z.infer<typeof advice>;
const suggestions = z.object({
  days: z.int(),
  profiles: z.array(
    z.object({
      profile: z.string(),
      attempts: z.int(),
      outOfMemory: z.int(),
      memoryBytes: advice,
      cpuMilli: advice,
    }),
  ),
});

const mib = (bytes: number | null): string | null => (bytes === null ? null : `${Math.ceil(bytes / MIB)} MiB`);
const cpus = (milli: number | null): string | null => (milli === null ? null : (milli / 1_000).toFixed(2));

const row = (about: object, { limit, p95, max, verdict, suggested, reason }: Advice, show: typeof mib): object => ({
  ...about,
  limit: show(limit),
  p95: show(p95),
  max: show(max),
  suggested: verdict === 'keep' ? 'keep' : show(suggested),
  reason,
});

export function addProfiles(program: Command, { overApi }: Terminal): void {
  program
    .command('profiles')
    .description('the named limits under which attempts run')
    .command('suggest')
    .description('limits they could have, by what finished attempts used; PROFILES of the orchestrators sets them')
    .option('--days <n>', 'of so many days', wholeNumber(DAYS_MAX), DAYS_DEFAULT)
    .option('--json')
    .action((options: Shown & { days: number }) =>
      overApi(async (api) => {
        const answer = await api.get('/v1/profiles/suggestions', { days: options.days });
        if (options.json) return json(answer);
        const { days, profiles } = suggestions.parse(answer);
        const rows = profiles.flatMap(({ profile, attempts, memoryBytes, cpuMilli }) => [
          row({ profile, attempts, of: 'memory' }, memoryBytes, mib),
          row({ profile, attempts, of: 'processors' }, cpuMilli, cpus),
        ]);
        const shown = table<Record<string, unknown>>(rows as Record<string, unknown>[], [
          'profile',
          'attempts',
          'of',
          'limit',
          'p95',
          'max',
          'suggested',
          'reason',
        ]);
        return `attempts that ended within ${days} days, by their peaks\n${shown}`;
      }),
    );
}
