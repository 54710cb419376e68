import { createKey, listKeys, revokeKey, rotateKey, type NewKey } from '../sql/api-keys.ts';
import type { Pool } from '../sql/pool.ts';
import { json, table } from './print.ts';

const made = (key: { key: string; prefix: string }, asJson: boolean): string =>
  asJson ? json(key) : `${key.key}\nIt is shown this once. Its prefix, ${key.prefix}, names it from now on.\n`;

export const createApiKey = async (pool: Pool, wish: NewKey, asJson: boolean): Promise<string> =>
  made(await createKey(pool, wish), asJson);

/** Throws when the key that is to be replaced is not valid. */
export async function rotateApiKey(
  pool: Pool,
  prefix: string,
  wish: { createdBy: string; days: number; overlapHours: number },
  asJson: boolean,
): Promise<string> {
  const key = await rotateKey(pool, prefix, wish);
  if (!key) throw new Error(`no valid key begins with ${prefix}`);
  return made(key, asJson);
}

export const revokeApiKey = (pool: Pool, prefix: string): Promise<boolean> => revokeKey(pool, prefix);

export async function showKeys(pool: Pool, asJson: boolean): Promise<string> {
  const keys = await listKeys(pool);
  if (asJson) return json(keys);
  return table(keys, ['prefix', 'name', 'role', 'created_by', 'created_at', 'expires_at', 'last_used_at']);
}
