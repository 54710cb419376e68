/** The secrets that events for the shop are signed with, sealed. The current one first; those before it until their end. */
import { randomUUID } from 'node:crypto';
import type { Database, Pool } from './pool.ts';
import { inTransaction } from './pool.ts';
import { recordOwnersChange } from './changes.ts';

export type SealedSecret = { id: string; sealed: Buffer; key_id: string; created_at: Date };

const SIGNING_MAX = 2;

/** Those that sign now: the current one, and at most one before it. */
export async function signingSecrets(db: Database): Promise<SealedSecret[]> {
  const { rows } = await db.query<SealedSecret>(
    `SELECT id, sealed, key_id, created_at FROM shop_secrets WHERE valid_until IS NULL OR valid_until > now()
     ORDER BY valid_until IS NULL DESC, created_at DESC LIMIT ${SIGNING_MAX}`,
  );
  return rows;
}

/**
 * A new secret in place of the current one, which signs along for another `overlapHours`; what was before that ends now.
 * `seal` gets the id the seal is bound to. As lading_owner.
 */
export const rotateShopSecret = (
  pool: Pool,
  { overlapHours, person }: { overlapHours: number; person: string },
  seal: (id: string) => { sealed: Buffer; keyId: string },
): Promise<void> =>
  inTransaction(pool, async (db) => {
    await db.query(`SELECT pg_advisory_xact_lock(hashtext('lading shop secret'))`);
    await db.query('UPDATE shop_secrets SET valid_until = now() WHERE valid_until > now()');
    await db.query(
      `UPDATE shop_secrets SET valid_until = now() + make_interval(hours => $1::int) WHERE valid_until IS NULL`,
      [overlapHours],
    );
    const id = randomUUID();
    const { sealed, keyId } = seal(id);
    await db.query('INSERT INTO shop_secrets (id, sealed, key_id) VALUES ($1::uuid, $2::bytea, $3::text)', [
      id,
      sealed,
      keyId,
    ]);
    await recordOwnersChange(db, {
      person,
      action: 'shop secret rotate',
      subject: 'shop',
      after: { id, overlapHours },
    });
  });

/** What is sealed with another master key than this, at most `limit`, those that have ended included. */
export async function sealedOtherwise(db: Database, keyId: string, limit: number): Promise<SealedSecret[]> {
  const { rows } = await db.query<SealedSecret>(
    `SELECT id, sealed, key_id, created_at FROM shop_secrets WHERE key_id <> $1::text ORDER BY id LIMIT $2::int
     FOR UPDATE`,
    [keyId, limit],
  );
  return rows;
}

export async function resealSecret(
  db: Database,
  secret: { id: string; sealed: Buffer; keyId: string; was: string },
): Promise<void> {
  await db.query(
    `UPDATE shop_secrets SET sealed = $2::bytea, key_id = $3::text WHERE id = $1::uuid AND key_id = $4::text`,
    [secret.id, secret.sealed, secret.keyId, secret.was],
  );
}

/** When the current secret was made. Needs no right to the secret itself. */
export async function shopSecretMadeAt(db: Database): Promise<Date | undefined> {
  const { rows } = await db.query<{ created_at: Date }>(
    'SELECT created_at FROM shop_secrets WHERE valid_until IS NULL',
  );
  return rows[0]?.created_at;
}
