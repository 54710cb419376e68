import { acceptedAt, parseSecretLines, type SecretLine } from '../../keys/secret-lines.ts';
import type { SepayAuth } from './sepay-signature.ts';

const SECRET_MIN_CHARS = 16;
const SECRETS_MAX = 2;

/** The current secret, and the previous one while it is being replaced. Throws RangeError. */
export function parseSepaySecrets(text: string): SecretLine[] {
  const lines = parseSecretLines(text);
  if (lines.length > SECRETS_MAX || lines.some(({ value }) => value.length < SECRET_MIN_CHARS))
    throw new RangeError(`one or two lines of at least ${SECRET_MIN_CHARS} characters`);
  return lines;
}

/** What opens at the moment it is looked at. */
export function sepayAuthOf(
  mode: SepayAuth['mode'],
  lines: () => readonly SecretLine[],
  now = (): Date => new Date(),
): SepayAuth {
  const accepted = (): string[] => acceptedAt(lines(), now()).map(({ value }) => value);
  return mode === 'hmac'
    ? {
        mode,
        get secrets() {
          return accepted();
        },
      }
    : {
        mode,
        get keys() {
          return accepted();
        },
      };
}
