import { maybeOne, type Database } from './pool.ts';

export type LogChunk = {
  attemptId: string;
  seq: number;
  firstLine: number;
  lineCount: number;
  rawBytes: number;
  lastAt: string;
  /** From where the log would have to be read again, and how many stored lines stand from there on. */
  resumeAt: string | null;
  resumeLines: number;
  /** Lines before which others are lost. */
  gaps: number;
  zstd: Buffer;
  hash: Buffer;
};

/**
 * False when the writer's lease has passed on, or a chunk of this number is stored already: then another follows the
 * attempt, and what is stored is the other's. The attempt's row is locked meanwhile, so that nobody adopts in between.
 */
export async function insertLogChunk(db: Database, epoch: number, chunk: LogChunk): Promise<boolean> {
  const { rowCount } = await db.query(
    `INSERT INTO log_chunks (attempt_id, seq, first_line, line_count, raw_bytes, last_at, resume_at, resume_lines, gaps,
                             zstd, hash)
     SELECT id, $2::int, $3::bigint, $4::int, $5::int, $6::text, $7::text, $8::int, $9::int, $10::bytea, $11::bytea
     FROM attempts WHERE id = $1::uuid AND lease_epoch = $12::int AND state <> 'settled' FOR SHARE
     ON CONFLICT (attempt_id, seq) DO NOTHING`,
    [
      chunk.attemptId,
      chunk.seq,
      chunk.firstLine,
      chunk.lineCount,
      chunk.rawBytes,
      chunk.lastAt,
      chunk.resumeAt,
      chunk.resumeLines,
      chunk.gaps,
      chunk.zstd,
      chunk.hash,
      epoch,
    ],
  );
  return rowCount === 1;
}

export type LogTail = {
  chunks: number;
  lines: number;
  raw_bytes: number;
  last_at: string | null;
  resume_at: string | null;
  resume_lines: number;
  hash: Buffer | null;
};

export const NO_LOG: LogTail = {
  chunks: 0,
  lines: 0,
  raw_bytes: 0,
  last_at: null,
  resume_at: null,
  resume_lines: 0,
  hash: null,
};

/** Where the stored log of an attempt ends. */
export async function logTail(db: Database, attemptId: string): Promise<LogTail> {
  const row = await maybeOne<LogTail>(
    db,
    `SELECT last.seq + 1 AS chunks, last.first_line + last.line_count - 1 AS lines,
            (SELECT sum(raw_bytes) FROM log_chunks WHERE attempt_id = $1::uuid)::bigint AS raw_bytes,
            last.last_at, last.resume_at, last.resume_lines, last.hash
     FROM log_chunks last WHERE last.attempt_id = $1::uuid ORDER BY last.seq DESC LIMIT 1`,
    [attemptId],
  );
  return row ?? NO_LOG;
}

/** Whether its end record is written: then nothing follows. */
export const isLogEnded = async (db: Database, attemptId: string): Promise<boolean> =>
  (await maybeOne(db, 'SELECT FROM log_ends WHERE attempt_id = $1::uuid', [attemptId])) !== undefined;

export async function insertLogEnd(
  db: Database,
  epoch: number,
  end: { attemptId: string; chunks: number; lines: number; rawBytes: number; linesCut: number; finalHash: Buffer },
): Promise<void> {
  await db.query(
    `INSERT INTO log_ends (attempt_id, chunks, lines, raw_bytes, lines_cut, final_hash, gaps)
     SELECT id, $2::int, $3::bigint, $4::bigint, $5::bigint, $6::bytea,
            (SELECT coalesce(sum(gaps), 0) FROM log_chunks WHERE attempt_id = $1::uuid)
     FROM attempts WHERE id = $1::uuid AND lease_epoch = $7::int AND state <> 'settled' FOR SHARE
     ON CONFLICT (attempt_id) DO NOTHING`,
    [end.attemptId, end.chunks, end.lines, end.rawBytes, end.linesCut, end.finalHash, epoch],
  );
}

export type StoredChunk = {
  seq: number;
  first_line: number;
  line_count: number;
  raw_bytes: number;
  zstd: Buffer;
  hash: Buffer;
};

/** Everything that is stored, without a trace in `log_reads`. Only lading_owner may; people read with `readLog`. */
export async function readLogChunks(db: Database, attemptId: string): Promise<StoredChunk[]> {
  const { rows } = await db.query<StoredChunk>(
    `SELECT seq, first_line, line_count, raw_bytes, zstd, hash
     FROM log_chunks WHERE attempt_id = $1::uuid ORDER BY seq`,
    [attemptId],
  );
  return rows;
}

/** Who reads a log, as he says himself, with what command, and why. */
export type Reading = { person: string; via: string; reason: string | undefined };

/**
 * The stored chunks from `fromSeq` on, at most `chunksMax`, after the read has been recorded. Not to be called in a
 * transaction: the record must be committed before the chunks are given.
 */
export async function readLog(
  db: Database,
  attemptId: string,
  fromSeq: number,
  chunksMax: number,
  reading: Reading,
): Promise<StoredChunk[]> {
  const announced = await maybeOne<{ id: number | null }>(
    db,
    'SELECT announce_log_read($1::uuid, $2::int, $3::int, $4::text, $5::text, $6::text) AS id',
    [attemptId, fromSeq, chunksMax, reading.via, reading.person, reading.reason ?? null],
  );
  if (typeof announced?.id !== 'number') return [];
  const { rows } = await db.query<StoredChunk>('SELECT * FROM read_log($1::bigint)', [announced.id]);
  return rows;
}

export type LogEnd = {
  chunks: number;
  lines: number;
  raw_bytes: number;
  lines_cut: number;
  gaps: number;
  final_hash: Buffer;
};

export const findLogEnd = (db: Database, attemptId: string): Promise<LogEnd | undefined> =>
  maybeOne<LogEnd>(
    db,
    'SELECT chunks, lines, raw_bytes, lines_cut, gaps, final_hash FROM log_ends WHERE attempt_id = $1::uuid',
    [attemptId],
  );

/** Whether nothing more will be stored: the log has its end record, or the attempt is settled. */
export async function isLogOver(db: Database, attemptId: string): Promise<boolean> {
  const row = await maybeOne<{ over: boolean }>(
    db,
    `SELECT state = 'settled' OR EXISTS (SELECT FROM log_ends e WHERE e.attempt_id = attempts.id) AS over
     FROM attempts WHERE id = $1::uuid`,
    [attemptId],
  );
  return row?.over ?? true;
}

/** The first chunk that holds a line after `line`; where no such line is stored yet, the one that will. */
export async function chunkAfterLine(db: Database, attemptId: string, line: number): Promise<number> {
  const row = await maybeOne<{ seq: number }>(
    db,
    `SELECT coalesce(min(seq) FILTER (WHERE first_line + line_count - 1 > $2::bigint), max(seq) + 1, 0) AS seq
     FROM log_chunks WHERE attempt_id = $1::uuid`,
    [attemptId, line],
  );
  return row?.seq ?? 0;
}

/** The chunk that holds a line, or would if it is not stored yet; undefined where nothing is stored. One row is read. */
export async function chunkOfLine(db: Database, attemptId: string, line: number): Promise<number | undefined> {
  const row = await maybeOne<{ seq: number }>(
    db,
    `SELECT seq FROM log_chunks WHERE attempt_id = $1::uuid AND first_line <= $2::bigint
     ORDER BY first_line DESC LIMIT 1`,
    [attemptId, line],
  );
  return row?.seq;
}

/** How many lines are stored. One row is read. */
export async function storedLines(db: Database, attemptId: string): Promise<number> {
  const row = await maybeOne<{ lines: number }>(
    db,
    `SELECT first_line + line_count - 1 AS lines FROM log_chunks WHERE attempt_id = $1::uuid
     ORDER BY first_line DESC LIMIT 1`,
    [attemptId],
  );
  return row?.lines ?? 0;
}
