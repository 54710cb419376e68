import { listEngines } from '../sql/engines.ts';
import type { Pool } from '../sql/pool.ts';
import { json, table } from './print.ts';

const GIB = 1024 ** 3;
const gib = (bytes: number | null): string => (bytes === null ? '-' : (bytes / GIB).toFixed(1));

/** What each engine has room for and what of it is taken. */
export async function showEngines(pool: Pool, asJson: boolean): Promise<string> {
  const engines = await listEngines(pool);
  if (asJson) return json(engines);
  const rows = engines.map((engine) => ({
    engine: engine.name,
    slots: `${engine.slots_used}/${engine.slots}`,
    launching: `${engine.launching}/${engine.launches_max}`,
    memory_gib: `${gib(engine.memory_used)}/${gib(engine.memory_bytes)}`,
    disk_free_gib: `${gib(engine.disk_free_bytes)} (floor ${gib(engine.disk_floor_bytes)})`,
    quarantined_at: engine.quarantined_at,
    quarantine_reason: engine.quarantine_reason,
  }));
  return table(rows, [
    'engine',
    'slots',
    'launching',
    'memory_gib',
    'disk_free_gib',
    'quarantined_at',
    'quarantine_reason',
  ]);
}
