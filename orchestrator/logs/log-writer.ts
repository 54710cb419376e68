/**
 * Stores the lines of one attempt. Goes on where the stored log ends: lines the daemon repeats after a crash (its
 * `since` is inclusive) are recognised by timestamp and count and dropped.
 */
import type { Database } from '../../sql/pool.ts';
import { FIRST_HASH } from '../../sql/log-chain.ts';
import type { Lease } from '../../sql/attempts.ts';
import { insertLogChunk, insertLogEnd, logTail } from '../../sql/logs.ts';
import { sinceOf, type LogLine } from './line.ts';
import { nextChunk } from './log-chunk.ts';
import type { Mask } from './masker.ts';

const CHUNK_LINES_MAX = 5_000;
const CHUNK_CHARS_MAX = 256 * 1024;
const FLUSH_AFTER_MS = 500;
/** What an attempt may say; beyond it lines are counted and not kept. */
export const ATTEMPT_LOG_MAX_BYTES = 64 * 1024 * 1024;

export type LogWriter = {
  /** Docker's `since` for the follow that feeds this writer; undefined at the very beginning. */
  since: string | undefined;
  /** Resolves when the line is held or stored; waits while a full chunk is being stored. */
  write: (line: LogLine) => Promise<void>;
  /** Stores what is held. */
  flush: () => Promise<void>;
  /** Stores what is held and the end record. */
  end: () => Promise<void>;
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
  const resumeAt = tail.last_at;
  let repeats = tail.last_at_lines;
  let held: LogLine[] = [];
  let heldChars = 0;
  let linesCut = 0;
  let timer: NodeJS.Timeout | undefined;
  let storing: Promise<void> = Promise.resolve();

  async function storeHeld(): Promise<void> {
    if (held.length === 0) return;
    const next = nextChunk(attemptId, tail, held);
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

  function isRepeated(line: LogLine): boolean {
    if (resumeAt === null || repeats === 0) return false;
    if (line.at < resumeAt) return true;
    if (line.at > resumeAt) repeats = 0;
    else {
      repeats -= 1;
      return true;
    }
    return false;
  }

  return {
    since: resumeAt === null ? undefined : sinceOf(resumeAt),
    flush,
    write: async (line) => {
      if (isRepeated(line)) return;
      if (tail.raw_bytes + heldChars > ATTEMPT_LOG_MAX_BYTES) {
        linesCut += 1;
        return;
      }
      const text = mask(line.text);
      held.push({ ...line, text });
      heldChars += text.length;
      if (held.length >= CHUNK_LINES_MAX || heldChars >= CHUNK_CHARS_MAX) await flush();
      else timer ??= setTimeout(() => void flush().catch(onError), FLUSH_AFTER_MS);
    },
    end: async () => {
      await flush();
      await insertLogEnd(db, epoch, {
        attemptId,
        chunks: tail.chunks,
        lines: tail.lines,
        rawBytes: tail.raw_bytes,
        linesCut,
        finalHash: tail.hash ?? FIRST_HASH,
      });
    },
    abandon: () => {
      clearTimeout(timer);
      held = [];
    },
  };
}
