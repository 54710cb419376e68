import type { Command } from 'commander';
import { z } from 'zod';
import type { ApiClient } from './api-client.ts';
import { fields, json, table } from './print.ts';
import { inPath, LIMIT, wholeNumber, type Shown, type Terminal } from './terminal.ts';

const GIB = 1024 ** 3;
const gib = (bytes: number | null): string => (bytes === null ? '-' : (bytes / GIB).toFixed(1));

export const enginesAnswer = z.object({
  engines: z.array(
    z.object({
      name: z.string(),
      slots: z.int(),
      slotsUsed: z.int(),
      launching: z.int(),
      launchesMax: z.int(),
      memoryBytes: z.int(),
      memoryUsed: z.int(),
      diskFreeBytes: z.int().nullable(),
      diskFloorBytes: z.int(),
      quarantinedAt: z.string().nullable(),
      quarantineReason: z.string().nullable(),
      drainedAt: z.string().nullable(),
      drainReason: z.string().nullable(),
    }),
  ),
});

async function showEngines(api: ApiClient, asJson: boolean): Promise<string> {
  const { engines } = enginesAnswer.parse(await api.get('/v1/engines'));
  if (asJson) return json(engines);
  const rows = engines.map((engine) => ({
    engine: engine.name,
    slots: `${engine.slotsUsed}/${engine.slots}`,
    launching: `${engine.launching}/${engine.launchesMax}`,
    memory_gib: `${gib(engine.memoryUsed)}/${gib(engine.memoryBytes)}`,
    disk_free_gib: `${gib(engine.diskFreeBytes)} (floor ${gib(engine.diskFloorBytes)})`,
    closed: engine.quarantinedAt
      ? `quarantine: ${engine.quarantineReason}`
      : engine.drainedAt && `drained: ${engine.drainReason}`,
  }));
  return table(rows, ['engine', 'slots', 'launching', 'memory_gib', 'disk_free_gib', 'closed']);
}

const answered = (answer: unknown, asJson: boolean | undefined): string =>
  asJson ? json(answer) : fields(z.looseObject({}).parse(answer));

export function addQueue(program: Command, { overApi }: Terminal): void {
  program
    .command('queue')
    .description('whether attempts begin, and how many jobs wait')
    .option('--json')
    .action((options: Shown) => overApi(async (api) => answered(await api.get('/v1/queue'), options.json)));
  program
    .command('pause')
    .description('let no attempt begin, on any engine; what runs goes on, and so do orders, payments and deliveries')
    .requiredOption('--reason <text>', 'why; shown until it is over')
    .option('--json')
    .action(({ reason, ...options }: Shown & { reason: string }) =>
      overApi(async (api) => answered(await api.send('POST', '/v1/queue/pause', { reason }), options.json)),
    );
  program
    .command('resume')
    .description('let attempts begin again')
    .option('--json')
    .action((options: Shown) =>
      overApi(async (api) => answered(await api.send('POST', '/v1/queue/resume'), options.json)),
    );
  program
    .command('drain')
    .description('let no attempt begin on one engine; what runs there goes on')
    .argument('<engine>', 'its name, as `engines` shows it')
    .requiredOption('--reason <text>', 'why; shown until it is over')
    .option('--json')
    .action((engine: string, { reason, ...options }: Shown & { reason: string }) =>
      overApi(async (api) =>
        answered(await api.send('POST', `/v1/engines/${inPath(engine)}/drain`, { reason }), options.json),
      ),
    );
  program
    .command('undrain')
    .description('let attempts begin on the engine again')
    .argument('<engine>', 'its name')
    .option('--json')
    .action((engine: string, options: Shown) =>
      overApi(async (api) => answered(await api.send('POST', `/v1/engines/${inPath(engine)}/undrain`), options.json)),
    );
  program
    .command('engines')
    .description('where containers run')
    .command('list', { isDefault: true })
    .description('what each engine has room for, and what of it is taken')
    .option('--json')
    .action((options: Shown) => overApi((api) => showEngines(api, options.json ?? false)));
}

const report = z.object({
  since: z.string(),
  until: z.string(),
  targets: z.array(
    z.object({
      name: z.string(),
      target: z.string(),
      actual: z.number().nullable(),
      unit: z.string(),
      holds: z.boolean().nullable(),
      measures: z.string(),
    }),
  ),
});
const HOLDS = new Map([
  [true, 'yes'],
  [false, 'NO'],
]);

export function addReports(program: Command, { overApi, fail }: Terminal): void {
  program
    .command('slo')
    .description('the five targets and what was reached; ends with 1 if one is missed')
    .option('--hours <n>', 'over so many hours', wholeNumber(366 * 24), 30 * 24)
    .option('--json')
    .action((options: Shown & { hours: number }) =>
      overApi(async (api) => {
        const answer = await api.get('/v1/slo', { hours: options.hours });
        const { targets, since, until } = report.parse(answer);
        if (targets.some(({ holds }) => holds === false)) fail();
        if (options.json) return json(answer);
        const rows = targets.map(({ name, target, actual, holds, unit, measures }) => ({
          target: name,
          wanted: target,
          actual: actual === null ? null : `${actual.toFixed(2)} ${unit === 'percent' ? '%' : unit}`,
          holds: holds === null ? null : HOLDS.get(holds),
          measures,
        }));
        return `${since} to ${until}\n${table(rows, ['target', 'wanted', 'actual', 'holds', 'measures'])}`;
      }),
    );
  program
    .command('changes')
    .description('what was changed over the API and by whose key, the newest first')
    .option(...LIMIT)
    .option('--json')
    .action((options: Shown & { limit: number }) =>
      overApi(async (api) => {
        const found = await api.list('/v1/changes', 'changes', {}, options.limit);
        if (options.json) return json(found);
        const named = z.object({ name: z.string() });
        const rows = found.map((one) => ({ ...one, key: named.parse(one['key']).name }));
        return table<Record<string, unknown>>(rows, ['at', 'key', 'action', 'subject', 'before', 'after']);
      }),
    );
}
