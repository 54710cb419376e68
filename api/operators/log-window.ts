/** A few lines of a log, from a line on: whatever its length, only the chunks that hold them are read. */
import { linesOf, parseLine, textOf, type LogLine } from '../../sql/log-lines.ts';
import { chunkOfLine, readLog, type Reading } from '../../sql/logs.ts';
import type { Pool } from '../../sql/pool.ts';

/** Chunks that are in memory at once, each a few hundred KiB. */
const PAGE_CHUNKS = 4;
/** A search that found too little by then says where it stands, and is continued by who wants more. */
export const SEARCHED_CHUNKS_MAX = 64;

export type LogWindow = {
  lines: LogLine[];
  /** Everything up to this line was looked at. */
  seenTo: number;
  /** Lines are stored behind it that were not looked at. */
  more: boolean;
};

/** The lines of a chunk that hold `search`, in lower case. */
function found(zstd: Buffer, search: string): LogLine[] {
  const text = textOf(zstd);
  // As it stands in the JSON, without its quotes.
  const escaped = JSON.stringify(search).slice(1, -1);
  if (!text.toLowerCase().includes(escaped)) return [];
  return text
    .split('\n')
    .filter((line) => line.toLowerCase().includes(escaped))
    .map(parseLine)
    .filter((line) => line.l.toLowerCase().includes(search));
}

/** At most `limit` lines behind `after` that hold `search`. Each read is recorded. */
export async function logWindow(
  pool: Pool,
  attemptId: string,
  reading: Reading,
  { after, limit, search }: { after: number; limit: number; search: string },
): Promise<LogWindow> {
  const wanted = search.toLowerCase();
  const lines: LogLine[] = [];
  let seenTo = after;
  let next = await chunkOfLine(pool, attemptId, after + 1);
  for (let read = 0; next !== undefined && read < SEARCHED_CHUNKS_MAX; read += PAGE_CHUNKS) {
    const page = await readLog(pool, attemptId, next, PAGE_CHUNKS, reading);
    for (const chunk of page) {
      const all = wanted === '' ? linesOf(chunk.zstd) : found(chunk.zstd, wanted);
      for (const line of all) {
        if (line.n <= after) continue;
        // One more than is wanted: there is more.
        if (lines.length === limit) return { lines, seenTo: lines.at(-1)?.n ?? seenTo, more: true };
        lines.push(line);
      }
      seenTo = Math.max(seenTo, chunk.first_line + chunk.line_count - 1);
    }
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE_CHUNKS) return { lines, seenTo, more: false };
    next = last.seq + 1;
  }
  return { lines, seenTo, more: next !== undefined };
}
