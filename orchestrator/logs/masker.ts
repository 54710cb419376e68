/** Replaces secrets in log lines, in the forms in which they are likely to be printed. */

const MASK = '[masked]';
/** Shorter values would mask ordinary words. */
const SECRET_MIN_CHARS = 8;

/** Shapes of tokens that an adopting orchestrator, which never saw the envelope, can still recognise. */
const SHAPES = [
  /ya29\.[\w.-]+/g,
  /whsec_[A-Za-z0-9+/=]+/g,
  /\b(Bearer|Basic)\s+[\w.~+/=-]{8,}/gi,
  /\bv1\.[\w-]{20,}\.[\w-]{20,}/g,
];

const formsOf = (secret: string): string[] => {
  const base64 = Buffer.from(secret).toString('base64');
  return [
    secret,
    encodeURIComponent(secret),
    base64,
    base64.replace(/=+$/, ''),
    Buffer.from(secret).toString('base64url'),
  ];
};

export type Mask = (text: string) => string;

/** The longest forms are replaced first, so that no piece of a longer one stays. */
export function makeMasker(secrets: readonly string[]): Mask {
  const forms = [...new Set(secrets.filter((secret) => secret.length >= SECRET_MIN_CHARS).flatMap(formsOf))].toSorted(
    (a, b) => b.length - a.length,
  );
  return (text) => {
    let masked = text;
    for (const form of forms) masked = masked.replaceAll(form, MASK);
    for (const shape of SHAPES) masked = masked.replace(shape, MASK);
    return masked;
  };
}
