import { zstdDecompressSync } from 'node:zlib';
import { z } from 'zod';
import { visible } from './print.ts';

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

/** The lines of one stored chunk. */
export const linesOf = (zstd: Buffer): LogLine[] =>
  zstdDecompressSync(zstd, { maxOutputLength: CHUNK_MAX_BYTES })
    .toString('utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => lineSchema.parse(JSON.parse(line)));

/** A line for a reader; `raw` is exactly what the job wrote, control characters and all. */
export function formatLine(line: LogLine, raw: boolean): string {
  if (raw) return `${line.l}${line.c ? '' : '\n'}`;
  const gap = line.g ? `${line.t} --- lines before this one are lost\n` : '';
  return `${gap}${line.t} ${line.s === 'e' ? 'err' : 'out'} ${visible(line.l)}\n`;
}
