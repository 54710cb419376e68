/** The stored form of log lines: NDJSON, compressed, each chunk chained to the one before. Pure. */
import { zstdCompressSync } from 'node:zlib';
import { chainHash, FIRST_HASH } from '../../sql/log-chain.ts';
import type { LogChunk, LogTail } from '../../sql/logs.ts';
import type { LogLine } from './line.ts';

/** How many of these lines, counted from the end, carry the last timestamp, going on from what the tail says. */
function lastAtLines(lines: readonly LogLine[], tail: LogTail): number {
  const lastAt = lines.at(-1)?.at;
  let count = 0;
  for (let i = lines.length - 1; i >= 0 && lines[i]?.at === lastAt; i -= 1) count += 1;
  return count === lines.length && tail.last_at === lastAt ? count + tail.last_at_lines : count;
}

const encodeLine = (line: LogLine, n: number): string =>
  JSON.stringify({
    n,
    t: line.at,
    s: line.stream === 'stdout' ? 'o' : 'e',
    l: line.text,
    ...(line.continues ? { c: 1 } : {}),
  });

/** The chunk that follows `tail`, and the tail after it. `lines` must not be empty. */
export function nextChunk(
  attemptId: string,
  tail: LogTail,
  lines: readonly LogLine[],
): { chunk: LogChunk; tail: LogTail } {
  const raw = Buffer.from(lines.map((line, i) => `${encodeLine(line, tail.lines + 1 + i)}\n`).join(''));
  const last = lines.at(-1);
  if (last === undefined) throw new RangeError('an empty chunk');
  const hash = chainHash(tail.hash ?? FIRST_HASH, raw);
  const chunk: LogChunk = {
    attemptId,
    seq: tail.chunks,
    firstLine: tail.lines + 1,
    lineCount: lines.length,
    rawBytes: raw.length,
    lastAt: last.at,
    lastAtLines: lastAtLines(lines, tail),
    zstd: zstdCompressSync(raw),
    hash,
  };
  return {
    chunk,
    tail: {
      chunks: tail.chunks + 1,
      lines: tail.lines + lines.length,
      raw_bytes: tail.raw_bytes + raw.length,
      last_at: chunk.lastAt,
      last_at_lines: chunk.lastAtLines,
      hash,
    },
  };
}
