import { timingSafeEqual } from 'node:crypto';
import { findKey, noteKeyUse, readKey, type KeyRole } from '../../sql/api-keys.ts';
import type { Pool } from '../../sql/pool.ts';
import type { Context } from '../context.ts';
import { Problem } from '../problem.ts';
import type { Limit } from '../rate-limit.ts';
import type { KeysInUse } from './keys-in-use.ts';

/** Whose key opened. */
export type Caller = { keyId: string; prefix: string; name: string; role: KeyRole };

/**
 * Who calls, by `Authorization: Bearer lk_…`. Throws `key_not_valid`, the same for every reason, `role_not_allowed`, or
 * `rate_limited`.
 */
export async function authenticate(
  ctx: Context,
  { pool, limitKey, keysInUse }: { pool: Pool; limitKey: Limit; keysInUse: KeysInUse },
  roles: readonly KeyRole[],
): Promise<Caller> {
  const refused = new Problem('key_not_valid', undefined, { headers: { 'WWW-Authenticate': 'Bearer' } });
  const given = readKey(/^Bearer +(\S+)$/i.exec(ctx.get('Authorization'))?.[1] ?? '');
  if (!given) throw refused;
  const key = await findKey(pool, given.prefix);
  if (!key || !timingSafeEqual(key.digest, given.digest)) throw refused;
  await limitKey(key.id);
  keysInUse.seen(key.prefix, key.created_at);
  if (key.note_use) await noteKeyUse(pool, key.id);
  if (!roles.includes(key.role)) throw new Problem('role_not_allowed');
  return { keyId: key.id, prefix: key.prefix, name: key.name, role: key.role };
}
