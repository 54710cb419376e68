/** Stored logs for tests, made after the words of the migration and not by the code that writes them. */
import { createHash } from 'node:crypto';
import { zstdCompressSync } from 'node:zlib';
import type { AttemptRow } from '../sql/attempts.ts';
import { insertLogChunk, type LogEnd, type StoredChunk } from '../sql/logs.ts';
import type { Pool } from '../sql/pool.ts';

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

/** As the attempt's orchestrator writes them. */
export async function storeChunks(
  orchestrator: Pool,
  attempt: AttemptRow,
  chunks: readonly StoredChunk[],
): Promise<void> {
  for (const chunk of chunks)
    await insertLogChunk(orchestrator, attempt.lease_epoch, {
      attemptId: attempt.id,
      seq: chunk.seq,
      firstLine: chunk.first_line,
      lineCount: chunk.line_count,
      rawBytes: chunk.raw_bytes,
      lastAt: '2026-01-01T00:00:00.000000001Z',
      resumeAt: null,
      resumeLines: 0,
      gaps: 0,
      zstd: chunk.zstd,
      hash: chunk.hash,
    });
}
