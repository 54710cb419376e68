/**
 * Keys of the operators' API: `lk_<prefix>_<secret>`. The prefix finds the row and may be shown; the secret is 32 random
 * bytes, so that a plain SHA-256 of the whole key is as good as a slow one.
 */
import { createHash, randomBytes } from 'node:crypto';
import { recordOwnersChange } from './changes.ts';
import { inTransaction, maybeOne, type Database, type Pool } from './pool.ts';

export const KEY_ROLES = ['operator', 'auditor', 'shop'] as const;
export type KeyRole = (typeof KEY_ROLES)[number];

const SHAPE = /^lk_([a-z2-7]{8})_[A-Za-z0-9_-]{43}$/;
const LETTERS = 'abcdefghijklmnopqrstuvwxyz234567';
const PREFIX_CHARS = 8;
const SECRET_BYTES = 32;

const digestOf = (key: string): Buffer => createHash('sha256').update(key).digest();

function mint(): { key: string; prefix: string; digest: Buffer } {
  const prefix = Array.from(randomBytes(PREFIX_CHARS), (byte) => LETTERS.charAt(byte % LETTERS.length)).join('');
  const key = `lk_${prefix}_${randomBytes(SECRET_BYTES).toString('base64url')}`;
  return { key, prefix, digest: digestOf(key) };
}

/** What a key opens with, taken apart; undefined for what is no key of ours. */
export function readKey(text: string): { prefix: string; digest: Buffer } | undefined {
  const prefix = SHAPE.exec(text)?.[1];
  return prefix === undefined ? undefined : { prefix, digest: digestOf(text) };
}

export type KeyRow = {
  id: string;
  prefix: string;
  name: string;
  role: KeyRole;
  digest: Buffer;
  created_at: Date;
  note_use: boolean;
};

/** A key that is valid now, by the database's clock. `note_use`: its last use was noted more than a minute ago. */
export const findKey = (db: Database, prefix: string): Promise<KeyRow | undefined> =>
  maybeOne<KeyRow>(
    db,
    `SELECT id, prefix, name, role, digest, created_at,
            coalesce(last_used_at < now() - interval '1 minute', true) AS note_use
     FROM api_keys WHERE prefix = $1::text AND expires_at > now()`,
    [prefix],
  );

export async function noteKeyUse(db: Database, id: string): Promise<void> {
  await db.query('UPDATE api_keys SET last_used_at = now() WHERE id = $1::uuid', [id]);
}

export type NewKey = { name: string; role: KeyRole; createdBy: string; days: number };

async function insertKey(
  db: Database,
  wish: NewKey,
  replaces?: { id: string; prefix: string },
): Promise<{ key: string; prefix: string }> {
  const { key, prefix, digest } = mint();
  await db.query(
    `INSERT INTO api_keys (prefix, digest, name, role, created_by, expires_at, replaces)
     VALUES ($1::text, $2::bytea, $3::text, $4::text, $5::text, now() + make_interval(days => $6::int), $7::uuid)`,
    [prefix, digest, wish.name, wish.role, wish.createdBy, wish.days, replaces?.id ?? null],
  );
  const { name, role, days, createdBy: person } = wish;
  await recordOwnersChange(db, {
    person,
    action: replaces ? 'key rotate' : 'key create',
    subject: prefix,
    ...(replaces && { before: { prefix: replaces.prefix } }),
    after: { prefix, name, role, days },
  });
  return { key, prefix };
}

/** Makes a key (as lading_owner). It is answered here and nowhere else. */
export const createKey = (pool: Pool, wish: NewKey): Promise<{ key: string; prefix: string }> =>
  inTransaction(pool, (db) => insertKey(db, wish));

/** A new key in place of an old one, which opens for another `overlapHours`. Undefined when the old one is not valid. */
export const rotateKey = (
  pool: Pool,
  prefix: string,
  wish: { createdBy: string; days: number; overlapHours: number },
): Promise<{ key: string; prefix: string } | undefined> =>
  inTransaction(pool, async (db) => {
    const old = await maybeOne<{ id: string; name: string; role: KeyRole }>(
      db,
      `UPDATE api_keys SET expires_at = least(expires_at, now() + make_interval(hours => $2::int))
       WHERE prefix = $1::text AND expires_at > now() RETURNING id, name, role`,
      [prefix, wish.overlapHours],
    );
    return old && insertKey(db, { ...wish, name: old.name, role: old.role }, { id: old.id, prefix });
  });

/** Ends a key now. False when it had ended already, or never was. */
export const revokeKey = (pool: Pool, prefix: string, person: string): Promise<boolean> =>
  inTransaction(pool, async (db) => {
    const { rowCount } = await db.query(
      'UPDATE api_keys SET expires_at = now() WHERE prefix = $1::text AND expires_at > now()',
      [prefix],
    );
    if (rowCount === 1) await recordOwnersChange(db, { person, action: 'key revoke', subject: prefix });
    return rowCount === 1;
  });

export type KeyReport = {
  prefix: string;
  name: string;
  role: KeyRole;
  created_by: string;
  created_at: Date;
  expires_at: Date;
  last_used_at: Date | null;
};

const KEYS_LISTED_MAX = 1_000;

/** The newest first, those that have ended included. */
export async function listKeys(db: Database): Promise<KeyReport[]> {
  const { rows } = await db.query<KeyReport>(
    `SELECT prefix, name, role, created_by, created_at, expires_at, last_used_at
     FROM api_keys ORDER BY created_at DESC, prefix LIMIT ${KEYS_LISTED_MAX}`,
  );
  return rows;
}
