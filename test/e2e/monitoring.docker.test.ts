/** Monitoring of a running Lading: targets, dashboards, no statement for a scrape, and alerts whose fault is cheap. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { z } from 'zod';
import { startPostgres, type Postgres } from '../../sandbox/postgres.ts';
import { faster, startPrometheus, type Prometheus } from '../../sandbox/prometheus.ts';
import pg from 'pg';
import { eventually, startE2e, type E2e } from './world.ts';

const DASHBOARDS = fileURLToPath(new URL('../../monitoring/grafana/dashboards', import.meta.url));
const LIMIT_MS = 30_000;

const datasource = z.strictObject({ type: z.literal('prometheus'), uid: z.literal('lading-prometheus') });
/** What we use of Grafana's format, and nothing beside it. */
const dashboardSchema = z.strictObject({
  uid: z.string().regex(/^lading-[a-z]+$/),
  title: z.string().startsWith('Lading: '),
  description: z.string().min(1),
  tags: z.tuple([z.literal('lading')]),
  timezone: z.literal('browser'),
  schemaVersion: z.int().min(39),
  version: z.int(),
  editable: z.literal(false),
  refresh: z.string(),
  time: z.strictObject({ from: z.string(), to: z.literal('now') }),
  templating: z.strictObject({ list: z.tuple([]) }),
  annotations: z.strictObject({ list: z.tuple([]) }),
  panels: z.array(
    z.strictObject({
      id: z.int(),
      title: z.string().min(1),
      description: z.string().min(1),
      type: z.enum(['stat', 'timeseries']),
      datasource,
      gridPos: z.strictObject({ x: z.int().max(23), y: z.int(), w: z.int().max(24), h: z.int() }),
      fieldConfig: z.strictObject({
        defaults: z.strictObject({ unit: z.string(), min: z.literal(0).optional() }),
        overrides: z.tuple([]),
      }),
      options: z.strictObject({}),
      targets: z
        .array(z.strictObject({ refId: z.string(), datasource, expr: z.string().min(1), legendFormat: z.string() }))
        .min(1),
    }),
  ),
});

let postgres: Postgres;
let e2e: E2e;
let prometheus: Prometheus;
const addressOf = (name: string, field = 'url'): string =>
  new URL(e2e.system.processes.get(name)?.listening[field] ?? '').host;

beforeAll(async () => {
  postgres = await startPostgres(undefined, ['shared_preload_libraries=pg_stat_statements', 'fsync=off']);
  e2e = await startE2e({ databaseUrl: postgres.adminUrl });
  await e2e.putCourse('tiny');
  prometheus = await startPrometheus({
    api: [addressOf('api', 'operationsUrl')],
    orchestrator: [addressOf('orchestrator-1')],
    egress: [addressOf('egress')],
    guard: [addressOf('guard')],
  });
}, 60_000);
afterAll(async () => {
  await prometheus.stop();
  await e2e.stop();
  await postgres.stop();
}, 60_000);

const answered = async (expression: string): Promise<true | undefined> => {
  const samples = await prometheus.query(expression);
  return samples.some(({ value }) => Number.isFinite(value)) ? true : undefined;
};
const fires = (name: string): Promise<true> =>
  eventually(
    `${name} fires`,
    LIMIT_MS,
    async () =>
      (await prometheus.alerts()).some((one) => one.labels['alertname'] === name && one.state === 'firing')
        ? true
        : undefined,
    () => prometheus.alerts(),
  );

test('every process is up, and after a delivery the targets and every panel have an answer', async () => {
  await eventually('all are up', LIMIT_MS, async () =>
    (await prometheus.query('up == 1')).length === 4 ? true : undefined,
  );
  const order = await e2e.customer.order('tiny', 'customer@shop.example');
  await e2e.customer.pay(order);
  // Of all that an orchestrator asks of the engine nothing is refused.
  expect(await prometheus.query('sum(guard_refusals_total)')).toMatchObject([{ value: 0 }]);
  expect((await prometheus.query('sum(guard_calls_total{call="create"})'))[0]?.value).toBeGreaterThan(0);
  const targets = ['processing_seconds:mean24h', 'uptime:ratio24h', 'failed:ratio24h', 'queue_wait_seconds:mean24h'];
  const panels = readdirSync(DASHBOARDS).flatMap((name) => {
    const text = readFileSync(`${DASHBOARDS}/${name}`, 'utf8');
    return dashboardSchema
      .parse(JSON.parse(text))
      .panels.flatMap((panel) =>
        panel.targets.map(({ expr }) => ({ about: `${name}: ${panel.title}: ${expr}`, expr })),
      );
  });
  expect(panels.length).toBeGreaterThan(50);
  const waiting = new Map(panels.map(({ about, expr }) => [about, faster(expr)]));
  for (const target of [...targets, 'retry_success:ratio24h']) waiting.set(target, `lading:target_${target}`);
  // Each at least once: what is counted in twenty seconds passes again.
  await eventually(
    'everything has an answer',
    LIMIT_MS,
    async () => {
      for (const [about, expr] of waiting) if (await answered(expr)) waiting.delete(about);
      return waiting.size === 0 ? true : undefined;
    },
    () => [...waiting.keys()],
  );
}, 60_000);

test('scrapes send no statement to Postgres while nothing moves', async () => {
  const url = new URL(e2e.system.databaseUrl('lading_owner'));
  const admin = new pg.Client({ connectionString: new URL(url.pathname, postgres.adminUrl).href });
  await admin.connect();
  try {
    await admin.query('CREATE EXTENSION pg_stat_statements');
    const sent = async (): Promise<string[]> => {
      const { rows } = await admin.query<{ query: string }>(
        `SELECT s.query FROM pg_stat_statements s JOIN pg_roles r ON r.oid = s.userid
         WHERE r.rolname IN ('lading_api', 'lading_orchestrator')`,
      );
      return rows.map(({ query }) => query);
    };
    expect(await sent()).not.toEqual([]);
    const scrapes = async (): Promise<number> =>
      (await prometheus.query('sum(count_over_time(up[10m]))'))[0]?.value ?? 0;
    // The delivery's last words may still be on their way: a window of thirty scrapes in which nobody says anything.
    await eventually(
      'thirty scrapes without a statement',
      LIMIT_MS,
      async () => {
        await admin.query('SELECT pg_stat_statements_reset()');
        const before = await scrapes();
        await eventually('thirty scrapes', LIMIT_MS, async () => ((await scrapes()) >= before + 30 ? true : undefined));
        return (await sent()).length === 0 ? true : undefined;
      },
      sent,
    );
  } finally {
    await admin.end();
  }
}, 60_000);

test('a fault of the running system fires its alert', async () => {
  const forged = () =>
    fetch(`${e2e.system.apiUrl}/webhooks/sepay`, {
      method: 'POST',
      headers: { 'x-sepay-signature': 'sha256=00', 'x-sepay-timestamp': String(Math.floor(Date.now() / 1_000)) },
      body: '{}',
    });
  const answers = await Promise.all(Array.from({ length: 8 }, forged));
  expect(answers.map(({ status }) => status)).not.toContain(200);
  // Paid twice: the second waits for an operator.
  const order = await e2e.customer.order('tiny', 'twice@shop.example');
  await e2e.customer.pay(order);
  await e2e.customer.pay(order);
  await e2e.lading('operator', 'pause', '--reason', 'a test');
  await e2e.system.processes.get('egress')?.stop();
  for (const name of ['WebhookRejections', 'MoneyUnplaced', 'QueuePaused', 'ProcessDown']) await fires(name);
  await e2e.system.startEgress();
}, 60_000);
