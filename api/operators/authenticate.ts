import { timingSafeEqual } from 'node:crypto';
import { findKey, noteKeyUse, readKey, type KeyRole } from '../../sql/api-keys.ts';
import type { Pool } from '../../sql/pool.ts';
import type { Context } from '../context.ts';
import { Problem } from '../problem.ts';
import type { Limit } from '../rate-limit.ts';
import type { KeysInUse } from './keys-in-use.ts';

/** Whose key opened; `sessionId` where it did so for a session of the console. */
export type Caller = { keyId: string; prefix: string; name: string; role: KeyRole; sessionId?: string };

type KeyDeps = { pool: Pool; limitKey: Limit; keysInUse: KeysInUse };

/** Whose key this is; undefined, the same for every reason, when it opens nothing. Throws `rate_limited`. */
export async function callerOfKey({ pool, limitKey, keysInUse }: KeyDeps, text: string): Promise<Caller | undefined> {
  const given = readKey(text);
  const key = given && (await findKey(pool, given.prefix));
  if (!given || !key || !timingSafeEqual(key.digest, given.digest)) return undefined;
  await limitKey(key.id);
  keysInUse.seen(key.prefix, key.created_at);
  if (key.note_use) await noteKeyUse(pool, key.id);
  return { keyId: key.id, prefix: key.prefix, name: key.name, role: key.role };
}

/** Who calls, by `Authorization: Bearer lk_…`. Throws `key_not_valid` or `rate_limited`. */
export async function authenticate(ctx: Context, deps: KeyDeps): Promise<Caller> {
  const caller = await callerOfKey(deps, /^Bearer +(\S+)$/i.exec(ctx.get('Authorization'))?.[1] ?? '');
  if (!caller) throw new Problem('key_not_valid', undefined, { headers: { 'WWW-Authenticate': 'Bearer' } });
  return caller;
}
