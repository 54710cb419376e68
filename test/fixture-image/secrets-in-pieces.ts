/** Says secrets in every way a careless program might: as they are, encoded, in two writes, across every border. */
import { DAEMON_SPLIT_BYTES } from './lines.ts';
import { print } from './print.ts';

/** A line longer than this is stored in parts; a secret across that border is in neither part as a whole. */
const PART_BYTES = 256 * 1024;

const formsOf = (secret: string): string[] => {
  const base64 = Buffer.from(secret).toString('base64');
  return [
    secret,
    base64,
    base64.replaceAll('=', ''),
    Buffer.from(secret).toString('base64url'),
    encodeURIComponent(secret),
    // Inside something else that is encoded as a whole, at each of the three alignments.
    ...['u:', 'us:', 'usr:'].map((user) => Buffer.from(`${user}${secret}@end`).toString('base64')),
  ];
};

/** `secret` with `before` bytes of other text ahead of it on its line. */
const across = (secret: string, before: number): string => `${'.'.repeat(before)}${secret} after\n`;

export function printSecretsInPieces(secrets: readonly string[]): void {
  for (const secret of secrets) {
    for (const form of formsOf(secret)) print(`form ${form} end\n`);
    const half = Math.floor(secret.length / 2);
    print(`two writes ${secret.slice(0, half)}`);
    print(`${secret.slice(half)} end\n`);
    print(`on stderr ${secret}\n`, 'stderr');
    for (const border of [DAEMON_SPLIT_BYTES, PART_BYTES, 2 * PART_BYTES, 2 * PART_BYTES + DAEMON_SPLIT_BYTES])
      for (const before of [border - secret.length, border - half, border - 1, border]) print(across(secret, before));
    for (const form of formsOf(secret)) print(across(form, PART_BYTES - half));
  }
}
