/** Secrets that stand in Postgres: sealed with a key that comes from the master key, bound to the row they stand in. */
import { hkdfSync } from 'node:crypto';
import { openSeal, seal as sealWith } from '../job-image/contract/seal.ts';
import type { MasterKeys } from './master-keys.ts';

const KEY_BYTES = 32;

const keyOf = (master: Buffer): Buffer =>
  Buffer.from(hkdfSync('sha256', master, '', 'lading sealed secret', KEY_BYTES));

/** `name` is what the seal is bound to: one for another row opens nothing. */
export function seal(keys: MasterKeys, name: string, secret: string): { sealed: Buffer; keyId: string } {
  const { id, key } = keys.current();
  return { sealed: sealWith(keyOf(key), name, secret), keyId: id };
}

/** Undefined where the key is none of ours any more, the seal is broken, or another row's. */
export function open(keys: MasterKeys, name: string, { sealed, keyId }: { sealed: Buffer; keyId: string }) {
  const master = keys.accepted().find(({ id }) => id === keyId);
  return master && openSeal(keyOf(master.key), name, sealed);
}
