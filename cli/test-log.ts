/** Stored logs for tests, made after the words of the migration and not by the code that writes them. */
import { createHash } from 'node:crypto';
import { zstdCompressSync } from 'node:zlib';
import type { LogEnd, StoredChunk } from '../sql/logs.ts';

/** A chunk for each list of texts, each line a second after the one before; and the end record of such a log. */
export function madeLog(chunks: readonly (readonly string[])[], firstAt = Date.UTC(2026, 0, 1)) {
  const made: StoredChunk[] = [];
  let hash = Buffer.alloc(32);
  let first = 1;
  for (const [seq, texts] of chunks.entries()) {
    const at = (i: number): string => new Date(firstAt + (first - 1 + i) * 1_000).toISOString().replace('Z', '000001Z');
    const raw = Buffer.from(texts.map((l, i) => `${JSON.stringify({ n: first + i, t: at(i), s: 'o', l })}\n`).join(''));
    hash = createHash('sha256').update(hash).update(raw).digest();
    made.push({
      seq,
      first_line: first,
      line_count: texts.length,
      raw_bytes: raw.length,
      zstd: zstdCompressSync(raw),
      hash,
    });
    first += texts.length;
  }
  const end: LogEnd = {
    chunks: made.length,
    lines: first - 1,
    raw_bytes: made.reduce((sum, chunk) => sum + chunk.raw_bytes, 0),
    lines_cut: 0,
    gaps: 0,
    final_hash: hash,
  };
  return { chunks: made, end };
}
