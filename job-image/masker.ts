/** Takes secrets out of text, in each of the forms in which they slip into logs. */

const MASK = '[masked]';
/** Shorter values would turn ordinary words into masks. */
const SECRET_MIN_CHARS = 4;

/**
 * The base64 of a secret inside a longer text depends on where it starts: at three offsets the outer characters mix with
 * the neighbours', the inner ones stay. Those inner runs are what is looked for.
 */
function base64Forms(secret: Buffer): string[] {
  const runs = [0, 1, 2].map((before) => {
    const whole = Buffer.concat([Buffer.alloc(before), secret])
      .toString('base64')
      .replace(/=+$/, '');
    const first = Math.ceil((before * 8) / 6);
    const last = Math.floor(((before + secret.length) * 8) / 6);
    return whole.slice(first, last);
  });
  return runs.flatMap((run) => [run, run.replaceAll('+', '-').replaceAll('/', '_')]);
}

function formsOf(secret: string): string[] {
  const bytes = Buffer.from(secret, 'utf8');
  const encoded = [encodeURIComponent(secret), new URLSearchParams([['', secret]]).toString().slice(1)];
  return [
    secret,
    JSON.stringify(secret).slice(1, -1),
    ...encoded,
    ...encoded.map((text) => text.replaceAll(/%[0-9A-F]{2}/g, (code) => code.toLowerCase())),
    bytes.toString('hex'),
    bytes.toString('hex').toUpperCase(),
    bytes.toString('base64'),
    bytes.toString('base64url'),
    ...base64Forms(bytes),
  ].filter((form) => form.length >= SECRET_MIN_CHARS);
}

/** A function that replaces every form of every secret by `[masked]`, longest first. */
export function makeMasker(secrets: readonly string[]): (text: string) => string {
  const forms = [...new Set(secrets.filter((secret) => secret.length >= SECRET_MIN_CHARS).flatMap(formsOf))];
  if (forms.length === 0) return (text) => text;
  forms.sort((a, b) => b.length - a.length);
  const any = new RegExp(forms.map((form) => RegExp.escape(form)).join('|'), 'g');
  return (text) => text.replaceAll(any, MASK);
}
