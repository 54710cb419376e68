import { maybeOne, type Database } from './pool.ts';

/** Makes the engine known, or tells its new number of slots. Attempts that run beyond a lower number run on. */
export async function registerEngine(db: Database, name: string, slots: number): Promise<void> {
  await db.query(
    `INSERT INTO engines (name, slots) VALUES ($1::text, $2::smallint)
     ON CONFLICT (name) DO UPDATE SET slots = excluded.slots, updated_at = now() WHERE engines.slots <> excluded.slots`,
    [name, slots],
  );
}

export async function freeSlots(db: Database, name: string): Promise<number> {
  const row = await maybeOne<{ free: number }>(
    db,
    'SELECT greatest(slots - slots_used, 0) AS free FROM engines WHERE name = $1::text',
    [name],
  );
  return row?.free ?? 0;
}
