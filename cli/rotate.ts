/**
 * Secrets that rotate while everything runs: the files of compose.yml are written where they stand, and every process that
 * watches them takes the new one within seconds. For the overlap both are good; at its end the old one is refused by
 * itself.
 */
import { randomBytes } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { masterKeysOf, parseMasterKeys, type MasterKeys } from '../keys/master-keys.ts';
import { open, seal } from '../keys/sealed.ts';
import { formatSecretLines, parseSecretLines, rotateLines, usedAt } from '../keys/secret-lines.ts';
import { SEEN_WITHIN_MS } from '../keys/watched-file.ts';
import { writeInPlace } from '../keys/write-in-place.ts';
import { inTransaction, type Pool } from '../sql/pool.ts';
import { rotateShopSecret, resealSecret, sealedOtherwise, shopSecretMadeAt } from '../sql/shop-secrets.ts';
import { json, table } from './print.ts';

const HOUR_MS = 3_600_000;
const KEY_BYTES = 32;
const RESEAL_BATCH = 100;
const SEPAY_MIN_CHARS = 16;
const FILES = {
  sepay: 'sepay_webhook_secrets',
  master: 'master_key',
  drive: 'google_service_account',
} as const;

export type Rotation = { secretsDir: string; overlapHours: number; replace?: boolean };
const pathOf = (dir: string, name: keyof typeof FILES): string => join(dir, FILES[name]);
const untilOf = (overlapHours: number): Date => new Date(Date.now() + overlapHours * HOUR_MS);

function rotateLinesOf(
  path: string,
  fresh: string,
  { overlapHours, settleMs, replace }: { overlapHours: number; settleMs: number; replace?: boolean | undefined },
): void {
  const times = { now: new Date(), overlapMs: overlapHours * HOUR_MS, settleMs, replace: replace ?? false };
  writeInPlace(path, formatSecretLines(rotateLines(parseSecretLines(readFileSync(path, 'utf8')), fresh, times)));
}

/** `fresh`: what SePay's dashboard shows once. It is made there first, and used by SePay once it is saved there. */
export function rotateSepay({ secretsDir, overlapHours, replace }: Rotation, fresh: string): string {
  const secret = fresh.trim();
  if (!/^\S+$/.test(secret) || secret.length < SEPAY_MIN_CHARS)
    throw new Error(`the new secret needs at least ${SEPAY_MIN_CHARS} characters without white space`);
  rotateLinesOf(pathOf(secretsDir, 'sepay'), secret, { overlapHours, settleMs: 0, replace });
  return `the new secret is taken within ${SEEN_WITHIN_MS / 1_000} s, the one before it until ${untilOf(overlapHours).toISOString()}\n`;
}

/** The newest key, for sealing; those before it, for opening. */
function newestFirst(secretsDir: string): MasterKeys {
  const lines = parseMasterKeys(readFileSync(pathOf(secretsDir, 'master'), 'utf8'));
  const keys = masterKeysOf(() => lines);
  return { accepted: keys.accepted, current: () => lines[0] ?? keys.current() };
}

/** Seals anew, in batches, whatever another master key sealed. Goes on where it was interrupted. Answers how many. */
export async function reseal(pool: Pool, secretsDir: string, batch = RESEAL_BATCH): Promise<number> {
  const keys = newestFirst(secretsDir);
  for (let done = 0; ;) {
    const moved = await inTransaction(pool, async (db) => {
      const rows = await sealedOtherwise(db, keys.current().id, batch);
      for (const { id, sealed, key_id: was } of rows) {
        const secret = open(keys, id, { sealed, keyId: was });
        if (secret === undefined)
          throw new Error(`${id} is sealed with master key ${was}, which is not in the file any more`);
        await resealSecret(db, { id, ...seal(keys, id, secret), was });
      }
      return rows.length;
    });
    done += moved;
    if (moved < batch) return done;
  }
}

/** Attempts that run keep the key they have; so the overlap must be longer than any attempt may run. */
export async function rotateMaster(pool: Pool, { secretsDir, overlapHours }: Rotation): Promise<string> {
  const fresh = randomBytes(KEY_BYTES).toString('base64');
  // Nothing is rewritten while something is sealed that could then be opened by nobody.
  await reseal(pool, secretsDir);
  rotateLinesOf(pathOf(secretsDir, 'master'), fresh, { overlapHours, settleMs: 2 * SEEN_WITHIN_MS });
  // Nobody is to meet a seal of a key he has not read yet.
  await sleep(SEEN_WITHIN_MS);
  const sealed = await reseal(pool, secretsDir);
  return `a new master key is in place, the one before it is good until ${untilOf(overlapHours).toISOString()}; ${sealed} sealed anew\n`;
}

type Account = { client_email?: unknown; private_key?: unknown; private_key_id?: unknown };

/** `fresh`: the key file of a service account that may write to the same folder. */
export function rotateDrive({ secretsDir, overlapHours }: Rotation, fresh: string): string {
  const read = (text: string): Account => {
    const parsed = JSON.parse(text) as Account | Account[];
    return (Array.isArray(parsed) ? parsed[0] : parsed) ?? {};
  };
  const path = pathOf(secretsDir, 'drive');
  const [account, before] = [read(fresh), read(readFileSync(path, 'utf8'))];
  if (typeof account.client_email !== 'string' || !String(account.private_key).includes('PRIVATE KEY'))
    throw new Error('the new file is not the key file of a service account');
  if (account.private_key === before.private_key) throw new Error('the new key is the one in use');
  const until = untilOf(overlapHours).toISOString();
  writeInPlace(path, `${JSON.stringify([account, { ...before, until }], undefined, 2)}\n`);
  return `the new key is used within ${SEEN_WITHIN_MS / 1_000} s; where Google refuses it, the one before it until ${until}. Delete that at Google afterwards.\n`;
}

/** The secret is shown this once; Postgres has it sealed. */
export async function rotateShopWebhook(
  pool: Pool,
  { secretsDir, overlapHours }: Rotation,
  person: string,
): Promise<string> {
  const secret = `whsec_${randomBytes(KEY_BYTES).toString('base64')}`;
  const lines = parseMasterKeys(readFileSync(pathOf(secretsDir, 'master'), 'utf8'));
  await rotateShopSecret(pool, { overlapHours, person }, (id) =>
    seal(
      masterKeysOf(() => lines),
      id,
      secret,
    ),
  );
  return `${secret}\nIt is shown this once. For ${overlapHours} hours events carry a signature of the one before it as well.\n`;
}

type SecretLine = { secret: string; since: string; age_days: string };
const lineOf = (secret: string, since: Date): SecretLine => ({
  secret,
  since: since.toISOString(),
  age_days: ((Date.now() - since.getTime()) / (24 * HOUR_MS)).toFixed(1),
});

/** How old each secret in use is. */
export async function showSecrets(pool: Pool, secretsDir: string, asJson: boolean): Promise<string> {
  const names = Object.keys(FILES) as (keyof typeof FILES)[];
  const lines = names.map((name) => {
    const path = pathOf(secretsDir, name);
    // Of what is in use: during its first seconds a new one is not.
    const from = name === 'drive' ? undefined : usedAt(parseSecretLines(readFileSync(path, 'utf8')), new Date())?.from;
    return lineOf(name, from ?? statSync(path).mtime);
  });
  const shop = await shopSecretMadeAt(pool);
  if (shop) lines.push(lineOf('shop_webhook', shop));
  return asJson ? json(lines) : table(lines, ['secret', 'since', 'age_days']);
}
