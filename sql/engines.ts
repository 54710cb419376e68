import { maybeOne, type Database } from './pool.ts';

export type EngineCapacity = {
  slots: number;
  launchesMax: number;
  memoryBytes: number;
  diskFloorBytes: number;
  /** Bytes of memory that an attempt of each profile is given. */
  profiles: Readonly<Record<string, number>>;
};

/** Makes the engine known, or tells its new capacity. Attempts that run beyond a lower one run on. */
export async function registerEngine(db: Database, name: string, capacity: EngineCapacity): Promise<void> {
  await db.query(
    `INSERT INTO engines (name, slots, launches_max, memory_bytes, disk_floor_bytes, profiles)
     VALUES ($1::text, $2::smallint, $3::smallint, $4::bigint, $5::bigint, $6::jsonb)
     ON CONFLICT (name) DO UPDATE SET slots = excluded.slots, launches_max = excluded.launches_max,
       memory_bytes = excluded.memory_bytes, disk_floor_bytes = excluded.disk_floor_bytes,
       profiles = excluded.profiles, updated_at = now()`,
    [
      name,
      capacity.slots,
      capacity.launchesMax,
      capacity.memoryBytes,
      capacity.diskFloorBytes,
      JSON.stringify(capacity.profiles),
    ],
  );
}

/**
 * How many more attempts could begin now, as far as slots and the launch gate go: none in quarantine, below the disk
 * floor, while it is drained or the queue is paused.
 */
export async function roomOn(db: Database, name: string): Promise<{ free: number; quarantined: boolean }> {
  const row = await maybeOne<{ free: number; quarantined: boolean }>(
    db,
    `SELECT quarantined_at IS NOT NULL AS quarantined,
            CASE WHEN quarantined_at IS NULL AND drained_at IS NULL
                   AND coalesce(disk_free_bytes >= disk_floor_bytes, true)
                   AND NOT EXISTS (SELECT FROM queue_pause WHERE paused_at IS NOT NULL)
                 THEN greatest(0, least(slots - slots_used, launches_max - launching)) ELSE 0 END AS free
     FROM engines WHERE name = $1::text`,
    [name],
  );
  return row ?? { free: 0, quarantined: false };
}

export async function recordDiskFree(db: Database, name: string, bytes: number): Promise<void> {
  await db.query('UPDATE engines SET disk_free_bytes = $2::bigint, updated_at = now() WHERE name = $1::text', [
    name,
    bytes,
  ]);
}

/** False when it is in quarantine already. */
export async function quarantineEngine(db: Database, name: string, reason: string): Promise<boolean> {
  const { rowCount } = await db.query(
    `UPDATE engines SET quarantined_at = now(), quarantine_reason = $2::text, updated_at = now()
     WHERE name = $1::text AND quarantined_at IS NULL`,
    [name, reason],
  );
  return rowCount === 1;
}

/** False when it was not in quarantine. */
export async function releaseEngine(db: Database, name: string): Promise<boolean> {
  const { rowCount } = await db.query(
    `UPDATE engines SET quarantined_at = NULL, quarantine_reason = NULL, updated_at = now()
     WHERE name = $1::text AND quarantined_at IS NOT NULL`,
    [name],
  );
  return rowCount === 1;
}

export type EngineRow = {
  name: string;
  slots: number;
  slots_used: number;
  launches_max: number;
  launching: number;
  memory_bytes: number;
  memory_used: number;
  disk_free_bytes: number | null;
  disk_floor_bytes: number;
  quarantined_at: Date | null;
  quarantine_reason: string | null;
  drained_at: Date | null;
  drain_reason: string | null;
  updated_at: Date;
};

const ENGINES_MAX = 1_000;

export async function listEngines(db: Database): Promise<EngineRow[]> {
  const { rows } = await db.query<EngineRow>(
    `SELECT name, slots, slots_used, launches_max, launching, memory_bytes, memory_used, disk_free_bytes,
            disk_floor_bytes, quarantined_at, quarantine_reason, drained_at, drain_reason, updated_at
     FROM engines ORDER BY name LIMIT ${ENGINES_MAX}`,
  );
  return rows;
}
