import { createHash } from 'node:crypto';
import { acceptedAt, parseSecretLines, usedAt, type SecretLine } from './secret-lines.ts';

const KEY_BYTES_MIN = 32;
const ID_CHARS = 16;

export type MasterKey = { readonly id: string; readonly key: Buffer };
/** The keys of this moment; asked anew each time, because they are rotated. */
export type MasterKeys = {
  /** What new attempts and seals are made with. */
  current: () => MasterKey;
  /** What attempts and seals may still be made with, the newest first. */
  accepted: () => readonly MasterKey[];
};

/** The beginning of its digest: names a key and gives nothing of it away. */
export const keyIdOf = (key: Buffer): string => createHash('sha256').update(key).digest('hex').slice(0, ID_CHARS);
const asKey = (key: Buffer): MasterKey => ({ id: keyIdOf(key), key });

type KeyLine = SecretLine & MasterKey;

/** Lines of base64, at least 32 bytes each. Throws RangeError, which never shows a key. */
export function parseMasterKeys(text: string): KeyLine[] {
  return parseSecretLines(text).map((line, i) => {
    const key = Buffer.from(line.value, 'base64');
    if (key.length < KEY_BYTES_MIN || key.toString('base64') !== line.value)
      throw new RangeError(`line ${i + 1} is not base64 of at least ${KEY_BYTES_MIN} bytes`);
    return { ...line, ...asKey(key) };
  });
}

export function masterKeysOf(lines: () => readonly KeyLine[], now = (): Date => new Date()): MasterKeys {
  return {
    current: () => {
      const used = usedAt(lines(), now());
      if (!used) throw new Error('every master key has ended');
      return used;
    },
    accepted: () => acceptedAt(lines(), now()),
  };
}

/** One key that does not change. */
export const oneMasterKey = (key: Buffer): MasterKeys => {
  const one = asKey(key);
  return { current: () => one, accepted: () => [one] };
};
