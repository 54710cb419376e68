import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { Registry, type MetricObject } from 'prom-client';
import { makeMetrics as makeApiMetrics } from '../api/metrics.ts';
import { makeMetrics as makeEgressMetrics } from '../egress/metrics.ts';
import { makeMetrics as makeGuardMetrics } from '../guard/metrics.ts';
import { makeSecretAges } from '../keys/secret-ages.ts';
import { makeMetrics as makeOrchestratorMetrics } from '../orchestrator/metrics.ts';

const TYPES: readonly string[] = ['counter', 'gauge', 'histogram', 'summary'];

/** As prom-client's own metric objects have it; its types tell only the name. */
type Told = MetricObject & { type: unknown; labelNames: readonly string[] };

/** `name | type, labels` of what a process exposes. */
function exposedBy(registry: Registry): string[] {
  return (registry.getMetricsAsArray() as Told[])
    .filter(({ name }) => !/^(process|nodejs)_/.test(name))
    .map((metric) => {
      const type = typeof metric.type === 'string' ? metric.type : metric.constructor.name.toLowerCase();
      expect(TYPES).toContain(type);
      // A histogram's `le` is no label of ours.
      const labels = metric.labelNames.filter((label) => label !== 'le');
      return [metric.name, [type, ...labels].join(', ')].join(' | ');
    })
    .toSorted();
}

const page = readFileSync(new URL('../docs/metrics.md', import.meta.url), 'utf8');
const documented = (process: string): string[] =>
  [...page.matchAll(/^\| `([a-z_]+)` \| ([^|]+) \| ([^|]+) \| [^|]{10,} \|$/gm)]
    .filter(([, , , of]) => of?.split(', ').includes(process))
    .map(([, name, type]) => `${name} | ${type?.replaceAll('`', '')}`)
    .toSorted();

const api = new Registry();
makeApiMetrics(api);
makeSecretAges(api);
const orchestrator = makeOrchestratorMetrics().registry;
makeSecretAges(orchestrator);

test.each([
  ['api', api],
  ['orchestrator', orchestrator],
  ['egress', makeEgressMetrics().registry],
  ['guard', makeGuardMetrics().registry],
])('what %s exposes is what docs/metrics.md says of it, with type and labels', (process, registry) => {
  expect(exposedBy(registry)).toEqual(documented(process));
});

test('every row of the table is of a process', () => {
  const rows = page.split('\n').filter((line) => line.startsWith('| `'));
  const told = new Set(
    ['api', 'orchestrator', 'egress', 'guard'].flatMap(documented).map((row) => row.split(' | ')[0]),
  );
  expect(told.size).toBe(rows.length);
});

test('the names operators already use are there', async () => {
  const text = await orchestrator.metrics();
  for (const name of [
    'download_duration_seconds',
    'queue_wait_seconds',
    'queue_length',
    'tasks_started_total',
    'tasks_completed_total',
    'process_resident_memory_bytes',
  ])
    expect(text).toContain(`# TYPE ${name} `);
});
