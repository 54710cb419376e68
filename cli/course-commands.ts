import { readFileSync, statSync } from 'node:fs';
import type { Command } from 'commander';
import { z } from 'zod';
import type { ApiClient, Row } from './api-client.ts';
import { CommandError, EXIT } from './exit.ts';
import { json, table } from './print.ts';
import type { Shown, Terminal } from './terminal.ts';

const FILE_MAX_BYTES = 512 * 1024;
const PAGES_MAX = 100;
const catalogue = z.object({ courses: z.array(z.record(z.string(), z.unknown())), more: z.boolean() });
const put = z.object({ courses: z.array(z.object({ id: z.string(), rightsGiven: z.boolean() })) });

/** One course, or an array of them; the API says what of them is wrong. */
function readCourses(path: string): unknown[] {
  try {
    if (statSync(path).size > FILE_MAX_BYTES) throw new Error(`is larger than ${FILE_MAX_BYTES} bytes`);
    const value: unknown = JSON.parse(readFileSync(path, 'utf8'));
    return Array.isArray(value) ? value : [value];
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new CommandError(EXIT.usage, `cannot read courses from ${path}: ${why}`, { cause });
  }
}

async function allCourses(api: ApiClient): Promise<Row[]> {
  const found: Row[] = [];
  let after: string | undefined;
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const { courses, more } = catalogue.parse(await api.get('/v1/catalogue', { limit: 100, after }));
    found.push(...courses);
    if (!more) break;
    after = String(courses.at(-1)?.['id']);
  }
  return found;
}

export function addCourses(program: Command, { overApi }: Terminal): void {
  const courses = program.command('courses').description('the catalogue');
  courses
    .command('put')
    .description('make or renew the courses of a JSON file, all or none')
    .argument('<file>')
    .option('--json')
    .action((file: string, options: Shown) =>
      overApi(async (api) => {
        const answer = put.parse(await api.send('PUT', '/v1/catalogue', { courses: readCourses(file) }));
        if (options.json) return json(answer.courses);
        return answer.courses
          .map(({ id, rightsGiven }) => `${id}${rightsGiven ? '' : ' (no rights record in the file)'}\n`)
          .join('');
      }),
    );
  courses
    .command('list')
    .description('every course, and whether it can be ordered')
    .option('--orderable', 'only those that can')
    .option('--json')
    .action((options: Shown & { orderable?: true }) =>
      overApi(async (api) => {
        const all = await allCourses(api);
        const found = options.orderable ? all.filter((course) => course['orderable'] === true) : all;
        if (options.json) return json(found);
        return table(found, [
          'id',
          'title',
          'priceVnd',
          'provider',
          'profile',
          'folder',
          'priority',
          'orderable',
          'rights',
        ]);
      }),
    );
}
