import { Counter, Gauge, Registry, collectDefaultMetrics } from 'prom-client';
import type { RefusalCode } from './refusal.ts';

export type Metrics = {
  readonly registry: Registry;
  refused: (reason: RefusalCode) => void;
  relayed: (status: number) => void;
  bytes: (direction: 'up' | 'down', count: number) => void;
  tunnelOpened: () => void;
  tunnelClosed: () => void;
  /** Called before each scrape, so that tunnels still open bring their bytes up to date. */
  beforeScrape: (update: () => void) => void;
};

/** The metrics of one egress process, in a registry of its own. */
export function makeMetrics(): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const updates: (() => void)[] = [];
  const open = new Gauge({ name: 'egress_tunnels_open', help: 'Tunnels open now', registers });
  const bytes = new Counter({
    name: 'egress_bytes_total',
    help: 'Bytes through tunnels; up is away from the job',
    labelNames: ['direction'],
    registers,
    collect: () => updates.forEach((update) => update()),
  });
  const refusals = new Counter({
    name: 'egress_refusals_total',
    help: 'Requests refused, by stable code',
    labelNames: ['reason'],
    registers,
  });
  const relayed = new Counter({
    name: 'egress_relayed_total',
    help: 'Signed calls handed to the API, by its status',
    labelNames: ['status'],
    registers,
  });
  return {
    registry,
    refused: (reason) => refusals.inc({ reason }),
    relayed: (status) => relayed.inc({ status: String(status) }),
    bytes: (direction, count) => bytes.inc({ direction }, count),
    tunnelOpened: () => open.inc(),
    tunnelClosed: () => open.dec(),
    beforeScrape: (update) => void updates.push(update),
  };
}
