/**
 * Stores the lines of one attempt. Goes on where the stored log ends: what the daemon gives a second time after a
 * crash is recognised and dropped; what it cannot give any more is marked as a gap.
 */
import type { Database } from '../../sql/pool.ts';
import { FIRST_HASH } from '../../sql/log-chain.ts';
import type { Lease } from '../../sql/attempts.ts';
import { insertLogChunk, insertLogEnd, logTail } from '../../sql/logs.ts';
import { ATTEMPT_LOG_MAX_BYTES } from './limits.ts';
import { sinceOf, type LogLine } from './line.ts';
import { daemonBytes, nextChunk, type KeptLine } from './log-chunk.ts';
import type { Mask } from './masker.ts';
import { recogniseStored, trackResume } from './resume.ts';

const CHUNK_LINES_MAX = 5_000;
const CHUNK_CHARS_MAX = 256 * 1024;
const FLUSH_AFTER_MS = 500;

export type LogWriter = {
  /** Docker's `since` for the follow that feeds this writer; undefined at the very beginning. */
  since: string | undefined;
  /** Holds the line, or counts it when the attempt has said too much. */
  take: (line: LogLine) => void;
  /** True once nothing more is kept: what comes may be counted without being read. */
  isFull: () => boolean;
  /** Counts a line that is not kept. */
  cut: () => void;
  linesCut: () => number;
  /** Resolves when there is room for more: a full chunk is stored before that. To be awaited between batches. */
  room: () => Promise<void>;
  /** Stores what is held. */
  flush: () => Promise<void>;
  /** Stores what is held and the end record. A writer before this one may have counted more lines that were cut. */
  end: (linesCutBefore?: number) => Promise<void>;
  /** Drops the timer and what is held: somebody else follows this attempt now. */
  abandon: () => void;
};

export class LogTakenOverError extends Error {
  override name = 'LogTakenOverError';
}

export async function makeLogWriter(
  db: Database,
  { attemptId, epoch }: Lease,
  mask: Mask,
  onError: (error: unknown) => void,
): Promise<LogWriter> {
  let tail = await logTail(db, attemptId);
  const from = tail.resume_at ?? undefined;
  const resume = trackResume(from);
  const reread = recogniseStored({ at: from, lines: tail.resume_lines }, tail.last_at);
  let held: KeptLine[] = [];
  let heldChars = 0;
  let spentBytes = tail.raw_bytes;
  let full = false;
  let linesCut = 0;
  let timer: NodeJS.Timeout | undefined;
  let storing: Promise<void> = Promise.resolve();

  async function storeHeld(): Promise<void> {
    if (held.length === 0) return;
    const next = nextChunk(attemptId, tail, held, mask, resume.point());
    spentBytes += Math.max(next.chunk.rawBytes, daemonBytes(held));
    held = [];
    heldChars = 0;
    if (!(await insertLogChunk(db, epoch, next.chunk)))
      throw new LogTakenOverError(`chunk ${next.chunk.seq} of ${attemptId}`);
    tail = next.tail;
  }

  function flush(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    storing = storing.then(storeHeld);
    return storing;
  }

  return {
    since: from === undefined ? undefined : sinceOf(from),
    isFull: () => full,
    cut: () => {
      linesCut += 1;
    },
    linesCut: () => linesCut,
    flush,
    take: (line) => {
      const seen = reread(line);
      if (seen === 'new_after_gap') resume.restart(line);
      if (seen !== 'stored') {
        full ||= spentBytes + heldChars + line.text.length > ATTEMPT_LOG_MAX_BYTES;
        if (full) {
          linesCut += 1;
          return;
        }
        held.push(seen === 'new_after_gap' ? { ...line, afterGap: true } : line);
        heldChars += line.text.length;
        timer ??= setTimeout(() => void flush().catch(onError), FLUSH_AFTER_MS);
      }
      resume.note(line);
    },
    room: async () => {
      if (held.length >= CHUNK_LINES_MAX || heldChars >= CHUNK_CHARS_MAX) await flush();
    },
    end: async (linesCutBefore = 0) => {
      await flush();
      await insertLogEnd(db, epoch, {
        attemptId,
        chunks: tail.chunks,
        lines: tail.lines,
        rawBytes: tail.raw_bytes,
        linesCut: Math.max(linesCut, linesCutBefore),
        finalHash: tail.hash ?? FIRST_HASH,
      });
    },
    abandon: () => {
      clearTimeout(timer);
      held = [];
    },
  };
}
