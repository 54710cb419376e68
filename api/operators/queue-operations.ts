import { z } from 'zod';
import { listEngines } from '../../sql/engines.ts';
import { findQueue, operatorDrains, operatorPauses } from '../../sql/operating.ts';
import type { Pool } from '../../sql/pool.ts';
import { operation } from '../contract/operation.ts';
import { Problem } from '../problem.ts';
import { instant, isoOrNull, words } from './fields.ts';

const queue = z.strictObject({
  pausedAt: instant.nullable(),
  reason: z.string().nullable(),
  waiting: z.int().describe('Jobs that wait for a slot.'),
  running: z.int().describe('Attempts that have one.'),
});

async function queueNow(pool: Pool): Promise<z.input<typeof queue>> {
  const { paused_at, reason, waiting, running } = await findQueue(pool);
  return { pausedAt: isoOrNull(paused_at), reason, waiting, running };
}

export const showQueue = operation({
  method: 'get',
  path: '/v1/queue',
  summary: 'Whether attempts begin, and how many jobs wait',
  roles: ['operator', 'auditor'],
  answer: queue,
  problems: [],
  act: ({ pool }) => queueNow(pool),
});

export const pauseQueue = operation({
  method: 'post',
  path: '/v1/queue/pause',
  summary: 'From now on no attempt begins, on any engine; what runs goes on, and so do orders, payments and deliveries',
  roles: ['operator'],
  body: z.strictObject({ reason: words }),
  answer: queue,
  problems: [],
  act: async ({ pool, act, body }) => {
    await operatorPauses(pool, act, body.reason);
    return queueNow(pool);
  },
});

export const resumeQueue = operation({
  method: 'post',
  path: '/v1/queue/resume',
  summary: 'Attempts begin again',
  roles: ['operator'],
  answer: queue,
  problems: [],
  act: async ({ pool, act }) => {
    await operatorPauses(pool, act, null);
    return queueNow(pool);
  },
});

const engine = z.strictObject({
  name: z.string(),
  slots: z.int(),
  slotsUsed: z.int(),
  launching: z.int(),
  launchesMax: z.int(),
  memoryBytes: z.int(),
  memoryUsed: z.int(),
  diskFreeBytes: z.int().nullable(),
  diskFloorBytes: z.int(),
  quarantinedAt: instant.nullable(),
  quarantineReason: z.string().nullable(),
  drainedAt: instant.nullable(),
  drainReason: z.string().nullable(),
});

/** An engine as it is answered. */
export type EngineAnswer = z.input<typeof engine>;

const enginesNow = async (pool: Pool): Promise<z.input<typeof engine>[]> =>
  (await listEngines(pool)).map((one) => ({
    name: one.name,
    slots: one.slots,
    slotsUsed: one.slots_used,
    launching: one.launching,
    launchesMax: one.launches_max,
    memoryBytes: one.memory_bytes,
    memoryUsed: one.memory_used,
    diskFreeBytes: one.disk_free_bytes,
    diskFloorBytes: one.disk_floor_bytes,
    quarantinedAt: isoOrNull(one.quarantined_at),
    quarantineReason: one.quarantine_reason,
    drainedAt: isoOrNull(one.drained_at),
    drainReason: one.drain_reason,
  }));

export const showEngines = operation({
  method: 'get',
  path: '/v1/engines',
  summary: 'What each engine has room for, and what of it is taken',
  roles: ['operator', 'auditor'],
  answer: z.strictObject({ engines: z.array(engine) }),
  problems: [],
  act: async ({ pool }) => ({ engines: await enginesNow(pool) }),
});

const params = z.strictObject({ engine: z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/) });

async function drained(pool: Pool, name: string, found: boolean): Promise<z.input<typeof engine>> {
  const now = found ? (await enginesNow(pool)).find((one) => one.name === name) : undefined;
  if (!now) throw new Problem('engine_unknown');
  return now;
}

export const drainEngine = operation({
  method: 'post',
  path: '/v1/engines/{engine}/drain',
  summary: 'From now on no attempt begins on this engine; what runs there goes on',
  roles: ['operator'],
  params,
  body: z.strictObject({ reason: words }),
  answer: engine,
  problems: ['engine_unknown'],
  act: async ({ pool, act, params: { engine: name }, body }) =>
    drained(pool, name, await operatorDrains(pool, act, name, body.reason)),
});

export const undrainEngine = operation({
  method: 'post',
  path: '/v1/engines/{engine}/undrain',
  summary: 'Attempts begin on this engine again',
  roles: ['operator'],
  params,
  answer: engine,
  problems: ['engine_unknown'],
  act: async ({ pool, act, params: { engine: name } }) =>
    drained(pool, name, await operatorDrains(pool, act, name, null)),
});
