/** Replaces secrets in log lines, in the forms in which they are likely to be printed. */

const MASK = '[masked]';
/** Shorter values would mask ordinary words. */
const SECRET_MIN_CHARS = 8;
/** How much of the text around a part of a line is looked at; longer than any form of a secret we send. */
export const CONTEXT_MAX_CHARS = 4 * 1024;

/** Shapes of tokens that an adopting orchestrator, which never saw the envelope, can still recognise. */
const SHAPES = [
  /ya29\.[\w.-]+/g,
  // The same in base64, at each of the three places it can have in what was encoded.
  /(?:eWEyOS[4-7]|lhMjku|5YTI5L)[\w+/-]+={0,2}/g,
  /whsec_[A-Za-z0-9+/=]+/g,
  // No newline: lines are masked many at once.
  /\b(?:Bearer|Basic)[ \t]+[\w.~+/=-]{8,}/gi,
  /\bv1\.[\w-]{20,}\.[\w-]{20,}/g,
];

/**
 * What is certain of a secret's base64 when `ahead` bytes were encoded before it and anything after it: the letters
 * that carry bits of the secret alone.
 */
function certainBase64(secret: Buffer, ahead: 0 | 1 | 2): string {
  const letters = Buffer.concat([Buffer.alloc(ahead), secret])
    .toString('base64')
    .replace(/=+$/, '');
  const shared = (ahead + secret.length) % 3 === 0 ? 0 : 1;
  return letters.slice(Math.ceil((ahead * 8) / 6), letters.length - shared);
}

const urlSafe = (base64: string): string => base64.replaceAll('+', '-').replaceAll('/', '_');

function formsOf(secret: string): string[] {
  const bytes = Buffer.from(secret);
  const base64 = [bytes.toString('base64'), ...([0, 1, 2] as const).map((ahead) => certainBase64(bytes, ahead))];
  const encoded = [...base64, ...base64.map((form) => form.replace(/=+$/, ''))];
  const percent = [encodeURIComponent(secret), new URLSearchParams([['', secret]]).toString().slice(1)];
  const lowerCase = percent.map((form) => form.replaceAll(/%[0-9A-F]{2}/g, (code) => code.toLowerCase()));
  const inJson = JSON.stringify(secret).slice(1, -1);
  const escaped = [inJson, inJson.replaceAll('/', '\\/')];
  return [secret, ...percent, ...lowerCase, ...escaped, ...encoded, ...encoded.map(urlSafe)];
}

type Range = { from: number; to: number };

/** In order, and none touching another's inside. */
function merged(ranges: Range[]): Range[] {
  const apart: Range[] = [];
  for (const range of ranges.toSorted((a, b) => a.from - b.from)) {
    const last = apart.at(-1);
    if (last && range.from < last.to) last.to = Math.max(last.to, range.to);
    else apart.push({ ...range });
  }
  return apart;
}

/**
 * The text without secrets. `around` is what stands before and after a part of a line: a secret that lies across the
 * border is masked in both parts.
 */
export type Mask = (text: string, around?: { before: string; after: string }) => string;

/** Text of many lines is masked in one call faster than line by line, and keeps its newlines. */
export function makeMasker(secrets: readonly string[]): Mask {
  const known = secrets.flatMap((secret) => secret.split('\n')).filter((secret) => secret.length >= SECRET_MIN_CHARS);
  const forms = [...new Set(known.flatMap(formsOf))];

  function secretsIn(text: string): Range[] {
    const found: Range[] = [];
    for (const form of forms)
      for (let from = text.indexOf(form); from >= 0; from = text.indexOf(form, from + form.length))
        found.push({ from, to: from + form.length });
    for (const shape of SHAPES)
      for (const match of text.matchAll(shape)) found.push({ from: match.index, to: match.index + match[0].length });
    return merged(found);
  }

  return (text, { before, after } = { before: '', after: '' }) => {
    const found = secretsIn(before === '' && after === '' ? text : before + text + after);
    if (found.length === 0) return text;
    let masked = '';
    let done = 0;
    for (const range of found) {
      const from = Math.max(0, range.from - before.length);
      const to = Math.min(text.length, range.to - before.length);
      if (to <= 0 || from >= text.length) continue;
      masked += text.slice(done, from) + MASK;
      done = to;
    }
    return masked + text.slice(done);
  };
}
