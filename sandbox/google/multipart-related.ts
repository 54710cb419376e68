import { invalid } from './errors.ts';

export type RelatedPart = { contentType: string; body: Buffer };

const PARTS_MAX = 2;

/** Splits a `multipart/related` body (RFC 2387) into its parts. Throws GoogleError 400 where it is malformed. */
export function splitRelated(contentType: string, body: Buffer): RelatedPart[] {
  const boundary = /boundary="?([^";]+)"?/i.exec(contentType)?.[1];
  if (boundary === undefined) throw invalid('Missing multipart boundary');
  const text = body.toString('latin1');
  const parts = text
    .split(new RegExp(String.raw`(?:^|\r?\n)--${boundary.replaceAll(/\W/g, String.raw`\$&`)}(?:--)?[ \t]*(?:\r?\n|$)`))
    .slice(1)
    .filter((part, index) => index < PARTS_MAX && part !== '');
  if (parts.length !== PARTS_MAX) throw invalid('Malformed multipart body.');
  return parts.map((part) => {
    const head = /\r?\n\r?\n/.exec(part);
    if (!head) throw invalid('Malformed multipart body.');
    const type = /^content-type:\s*(.+)$/im.exec(part.slice(0, head.index))?.[1]?.trim();
    return {
      contentType: type ?? 'application/octet-stream',
      body: Buffer.from(part.slice(head.index + head[0].length), 'latin1'),
    };
  });
}
