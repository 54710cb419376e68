/**
 * Every alert fires in a real Prometheus on monitoring/, with shortened waits. What it scrapes here are our own metric
 * registries, set as the fault would leave them; test/e2e/monitoring.docker.test.ts provokes some on a running Lading.
 */
import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import { makeMetrics as makeApiMetrics } from '../../api/metrics.ts';
import { makeMetrics as makeEgressMetrics } from '../../egress/metrics.ts';
import { makeMetrics as makeGuardMetrics } from '../../guard/metrics.ts';
import { makeSecretAges } from '../../keys/secret-ages.ts';
import { makeMetrics as makeOrchestratorMetrics } from '../../orchestrator/metrics.ts';
import { startPrometheus, type Prometheus } from '../../sandbox/prometheus.ts';

const ALL_LIMIT_MS = 50_000;
const QUIET_MS = 4_000;
const LOOK_EVERY_MS = 250;

const rules = readFileSync(new URL('../../monitoring/rules/alerts.yml', import.meta.url), 'utf8');
const NAMES = [...rules.matchAll(/- alert: (\w+)/g)].map(([, name]) => name ?? '').toSorted();

type Exporter = { server: Server; address: string };
async function exporterOf(registry: Registry, beforeScrape: () => void = () => undefined): Promise<Exporter> {
  const server = createServer((_, response) => {
    beforeScrape();
    registry.metrics().then(
      (text) => response.writeHead(200, { 'content-type': registry.contentType }).end(text),
      () => response.writeHead(500).end(),
    );
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, address: `127.0.0.1:${(server.address() as AddressInfo).port}` };
}
const close = ({ server }: Exporter): void => {
  server.closeAllConnections();
  server.close();
};

const orchestrator = makeOrchestratorMetrics();
const apiRegistry = new Registry();
collectDefaultMetrics({ register: apiRegistry });
const api = makeApiMetrics(apiRegistry);
const ageOf = makeSecretAges(apiRegistry);
let waiting = 0;
let isGrowing = false;
const figures = { downloads: 0, steps: 0, oldest_seconds: 0, stuck: 0, paused: false, unplaced: 0 };
const guard = makeGuardMetrics();
let exporters: Record<'api' | 'orchestrator' | 'egress' | 'guard', Exporter>;
let prometheus: Prometheus;

beforeAll(async () => {
  orchestrator.listenUp.set(1);
  orchestrator.diskFree.set(9e9);
  orchestrator.diskFloor.set(1e9);
  ageOf('sepay', () => new Date());
  orchestrator.show(figures);
  exporters = {
    api: await exporterOf(apiRegistry),
    orchestrator: await exporterOf(orchestrator.registry, () => {
      if (isGrowing) orchestrator.queueLength.set({ queue: 'downloads' }, (waiting += 1));
    }),
    egress: await exporterOf(makeEgressMetrics().registry),
    guard: await exporterOf(guard.registry),
  };
  prometheus = await startPrometheus({
    api: [exporters.api.address],
    orchestrator: [exporters.orchestrator.address],
    egress: [exporters.egress.address],
    guard: [exporters.guard.address],
  });
}, 40_000);
afterAll(async () => {
  await prometheus.stop();
  Object.values(exporters).forEach(close);
});

const firing = async (): Promise<string[]> => {
  const names = (await prometheus.alerts())
    .filter(({ state }) => state === 'firing')
    .map((one) => one.labels['alertname']);
  return [...new Set(names.map(String))].toSorted();
};
async function until(limitMs: number, isSo: () => Promise<boolean>): Promise<void> {
  const giveUpAt = Date.now() + limitMs;
  while (Date.now() < giveUpAt && !(await isSo())) await sleep(LOOK_EVERY_MS);
}

/** By alert: what the fault leaves in the figures. */
const FAULTS: Record<string, () => void> = {
  ProcessDown: () => close(exporters.egress),
  ProcessMissing: () => prometheus.setTargets('api', []),
  ProcessRestarts: () => {
    const name = 'process_start_time_seconds';
    orchestrator.registry.removeSingleMetric(name);
    let started = 1;
    orchestrator.registry.registerMetric(
      new Gauge({
        name,
        help: 'as a process that starts again and again has it',
        registers: [],
        collect() {
          this.set((started += 1));
        },
      }),
    );
  },
  ListenDead: () => orchestrator.listenUp.set(0),
  LeaseStale: () => orchestrator.leaseAge.reset(),
  EngineQuarantined: () => orchestrator.quarantined.set(1),
  GuardRefusals: () => guard.refused('create_body'),
  DiskFloor: () => orchestrator.diskFree.set(1e8),
  ClockSkew: () => orchestrator.clockSkew.set(-7),
  StaleWrites: () => orchestrator.staleWrites.inc(),
  JobsStuck: () => orchestrator.show({ ...figures, stuck: 1, paused: true, unplaced: 1, oldest_seconds: 301 }),
  QueueGrowing: () => (isGrowing = true),
  QueueWaitsLong: () => undefined,
  QueuePaused: () => undefined,
  JobsDie: () => orchestrator.countEnded({ result: 'attempts_exhausted', retried: true }),
  WebhookRejections: () => api.webhookRejections.inc({ reason: 'signature_wrong' }, 10),
  WebhooksNotUnderstood: () => api.notUnderstood.inc({ problem: 'not_json' }),
  MoneyUnplaced: () => undefined,
  ReconcileFailures: () => api.reconcileFailures.inc(5),
  SecretOld: () => ageOf('sepay', () => new Date(Date.now() - 366 * 86_400_000)),
  ShopEndpointDisabled: () => orchestrator.shopDisabled.set(1),
  ShopDeliveriesDead: () => orchestrator.shopDeliveries.inc({ result: 'dead' }),
  TargetProcessing: () => orchestrator.countEnded({ result: 'completed', retried: false, secondsFromPaid: 9_000 }),
  TargetUptime: () => undefined,
  TargetFailed: () => undefined,
  TargetQueueWait: () => orchestrator.queueWait.observe(1_000),
  TargetRetrySuccess: () => undefined,
};

test('each alert has a fault here, and each fault an alert', () => {
  expect(Object.keys(FAULTS).toSorted()).toEqual(NAMES);
});

test('nothing fires while nothing is wrong', async () => {
  await until(20_000, async () => (await prometheus.query('up == 1')).length === 4);
  expect(await prometheus.query('up == 1')).toHaveLength(4);
  // The moment before the first scrape counts as absence.
  await until(20_000, async () => (await prometheus.alerts()).length === 0);
  const seen = new Set<string>();
  await until(QUIET_MS, async () => {
    for (const { labels } of await prometheus.alerts()) seen.add(String(labels['alertname']));
    return false;
  });
  expect([...seen]).toEqual([]);
  expect(await firing()).toEqual([]);
});

test('each alert fires once its fault is there', async () => {
  const seen = new Set<string>();
  for (const [name, inject] of Object.entries(FAULTS)) if (name !== 'ProcessMissing') inject();
  const collect = async (): Promise<boolean> => {
    for (const name of await firing()) seen.add(name);
    return seen.size >= NAMES.length - 1;
  };
  await until(ALL_LIMIT_MS / 2, collect);
  // Last: an API without a target shows no figures either.
  FAULTS['ProcessMissing']?.();
  await until(ALL_LIMIT_MS / 2, async () => {
    await collect();
    return seen.size === NAMES.length;
  });
  expect([...seen].toSorted()).toEqual(NAMES);
});
