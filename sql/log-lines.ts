/** What stands in the chunks of a log, and how a line of it is shown. */
import { zstdDecompressSync } from 'node:zlib';
import { z } from 'zod';

/** A chunk is a few hundred KiB of text; a compressed one that grows beyond this is not ours. */
export const CHUNK_MAX_BYTES = 64 * 1024 * 1024;

const lineSchema = z.object({
  n: z.int(),
  /** The daemon's timestamp. */
  t: z.string(),
  /** stdout or stderr. */
  s: z.enum(['o', 'e']),
  l: z.string(),
  /** The line was cut here: the next one of the same stream goes on. */
  c: z.literal(1).optional(),
  /** Lines before this one are lost: the daemon had rotated them away. */
  g: z.literal(1).optional(),
});
export type LogLine = z.infer<typeof lineSchema>;

/** A stored chunk as it was hashed: NDJSON, whole lines. */
export const textOf = (zstd: Buffer): string =>
  zstdDecompressSync(zstd, { maxOutputLength: CHUNK_MAX_BYTES }).toString('utf8');

/** One line of NDJSON. */
export const parseLine = (json: string): LogLine => lineSchema.parse(JSON.parse(json));

/** The lines of one stored chunk. */
export const linesOf = (zstd: Buffer): LogLine[] =>
  textOf(zstd)
    .split('\n')
    .filter((line) => line !== '')
    .map(parseLine);

/**
 * Text that came from outside (transfers, job logs) as it may be shown: control characters are made visible, so that
 * no text can move the cursor, set a title or forge a line.
 */
export const visible = (text: string): string =>
  text.replaceAll(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu, (character) =>
    character === '\t' ? ' ' : `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );

/** A line for a reader; `raw` is exactly what the job wrote, control characters and all. */
export function formatLine(line: LogLine, raw: boolean): string {
  if (raw) return `${line.l}${line.c ? '' : '\n'}`;
  const gap = line.g ? `${line.t} --- lines before this one are lost\n` : '';
  return `${gap}${line.t} ${line.s === 'e' ? 'err' : 'out'} ${visible(line.l)}\n`;
}
