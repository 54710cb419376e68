import { maybeOne, type Database } from './pool.ts';

export type LogChunk = {
  attemptId: string;
  seq: number;
  firstLine: number;
  lineCount: number;
  rawBytes: number;
  lastAt: string;
  lastAtLines: number;
  zstd: Buffer;
  hash: Buffer;
};

/** False when a chunk of this number is stored already: another follower was faster, or we were before a crash. */
export async function insertLogChunk(db: Database, chunk: LogChunk): Promise<boolean> {
  const { rowCount } = await db.query(
    `INSERT INTO log_chunks (attempt_id, seq, first_line, line_count, raw_bytes, last_at, last_at_lines, zstd, hash)
     VALUES ($1::uuid, $2::int, $3::bigint, $4::int, $5::int, $6::text, $7::int, $8::bytea, $9::bytea)
     ON CONFLICT (attempt_id, seq) DO NOTHING`,
    [
      chunk.attemptId,
      chunk.seq,
      chunk.firstLine,
      chunk.lineCount,
      chunk.rawBytes,
      chunk.lastAt,
      chunk.lastAtLines,
      chunk.zstd,
      chunk.hash,
    ],
  );
  return rowCount === 1;
}

export type LogTail = {
  chunks: number;
  lines: number;
  raw_bytes: number;
  last_at: string | null;
  last_at_lines: number;
  hash: Buffer | null;
};

/** Where the stored log of an attempt ends. */
export async function logTail(db: Database, attemptId: string): Promise<LogTail> {
  const row = await maybeOne<LogTail>(
    db,
    `SELECT last.seq + 1 AS chunks, last.first_line + last.line_count - 1 AS lines,
            (SELECT sum(raw_bytes) FROM log_chunks WHERE attempt_id = $1::uuid)::bigint AS raw_bytes,
            last.last_at, last.last_at_lines, last.hash
     FROM log_chunks last WHERE last.attempt_id = $1::uuid ORDER BY last.seq DESC LIMIT 1`,
    [attemptId],
  );
  return row ?? { chunks: 0, lines: 0, raw_bytes: 0, last_at: null, last_at_lines: 0, hash: null };
}

export async function insertLogEnd(
  db: Database,
  end: { attemptId: string; chunks: number; lines: number; rawBytes: number; linesCut: number; finalHash: Buffer },
): Promise<void> {
  await db.query(
    `INSERT INTO log_ends (attempt_id, chunks, lines, raw_bytes, lines_cut, final_hash)
     VALUES ($1::uuid, $2::int, $3::bigint, $4::bigint, $5::bigint, $6::bytea) ON CONFLICT (attempt_id) DO NOTHING`,
    [end.attemptId, end.chunks, end.lines, end.rawBytes, end.linesCut, end.finalHash],
  );
}

export async function readLogChunks(
  db: Database,
  attemptId: string,
): Promise<{ seq: number; zstd: Buffer; hash: Buffer }[]> {
  const { rows } = await db.query<{ seq: number; zstd: Buffer; hash: Buffer }>(
    'SELECT seq, zstd, hash FROM log_chunks WHERE attempt_id = $1::uuid ORDER BY seq',
    [attemptId],
  );
  return rows;
}
