import { collectDefaultMetrics, Counter, Registry } from 'prom-client';

import { REFUSALS, type Refusal } from './call.ts';

export type Metrics = {
  readonly registry: Registry;
  passed: (call: string) => void;
  refused: (reason: Refusal['refused']) => void;
};

/** The metrics of one guard, in a registry of its own. */
export function makeMetrics(): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const calls = new Counter({
    name: 'guard_calls_total',
    help: 'Calls passed on to the engine, by kind',
    labelNames: ['call'],
    registers,
  });
  const refusals = new Counter({
    name: 'guard_refusals_total',
    help: 'Calls refused, by stable code',
    labelNames: ['reason'],
    registers,
  });
  // From the start: what grows from nothing to one would be no growth.
  for (const reason of REFUSALS) refusals.inc({ reason }, 0);
  return { registry, passed: (call) => calls.inc({ call }), refused: (reason) => refusals.inc({ reason }) };
}
