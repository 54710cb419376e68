/**
 * Stores the lines of one attempt. Goes on where the stored log ends: what the daemon gives a second time after a
 * crash is recognised and dropped; what it cannot give any more is marked as a gap.
 */
import type { Database } from '../../sql/pool.ts';
import type { Lease } from '../../sql/attempts.ts';
import { FIRST_HASH } from '../../sql/log-chain.ts';
import { insertLogChunk, insertLogEnd, logTail, type LogTail } from '../../sql/logs.ts';
import { ATTEMPT_LOG_MAX_BYTES } from './limits.ts';
import { sinceOf, type LogLine } from './line.ts';
import { DAEMON_EXTRA_BYTES, daemonBytes, encodeLines, nextChunk, type KeptLine } from './log-chunk.ts';
import type { Mask } from './masker.ts';
import { recogniseStored, trackResume } from './resume.ts';

const CHUNK_LINES_MAX = 5_000;
const CHUNK_BYTES_MAX = 256 * 1024;
const FLUSH_AFTER_MS = 500;
const TAIL_LOST = '[what was said last is lost: the container is gone]';

export type LogWriter = {
  /** Docker's `since` for the follow that feeds this writer; undefined at the very beginning. */
  since: string | undefined;
  /** Takes the line, or counts it when the attempt has said too much. `room` is to be called after a batch of them. */
  take: (line: LogLine) => void;
  /** True once nothing more is kept: what comes may be counted without being read. */
  isFull: () => boolean;
  /** Counts a line that is not kept. */
  cut: () => void;
  /** Holds what was taken; resolves when there is room for more: a full chunk is stored before that. */
  room: () => Promise<void>;
  /** Stores what was taken. */
  flush: () => Promise<void>;
  /** What was said last went with its container: the log says so, as a gap. */
  tailLost: () => void;
  /** Stores what was taken and the end record. */
  end: () => Promise<void>;
  /** Drops the timer and what is held: somebody else follows this attempt now. */
  abandon: () => void;
};

/** Encoded as soon as a batch is taken: strings that wait for their chunk would make the heap grow in a flood. */
type Held = { pieces: Buffer[]; bytes: number; lines: number; lastAt: string; gaps: number };
const NOTHING: Held = { pieces: [], bytes: 0, lines: 0, lastAt: '', gaps: 0 };

export class LogTakenOverError extends Error {
  override name = 'LogTakenOverError';
}

/** `known` is where the stored log ends, if the caller knows. A wrong guess stores nothing: it is a log taken over. */
export async function makeLogWriter(
  db: Database,
  { attemptId, epoch }: Lease,
  mask: Mask,
  on: { error: (error: unknown) => void; stored: (lagSeconds: number) => void },
  known?: LogTail,
): Promise<LogWriter> {
  let tail = known ?? (await logTail(db, attemptId));
  const from = tail.resume_at ?? undefined;
  const resume = trackResume(from);
  const reread = recogniseStored({ at: from, lines: tail.resume_lines }, tail.last_at);
  let taken: KeptLine[] = [];
  let takenChars = 0;
  let held = NOTHING;
  let spentBytes = tail.raw_bytes + tail.lines * DAEMON_EXTRA_BYTES;
  let full = false;
  let linesCut = 0;
  let timer: NodeJS.Timeout | undefined;
  let storing: Promise<void> = Promise.resolve();

  function hold(): void {
    const last = taken.at(-1);
    if (last === undefined) return;
    const piece = encodeLines(taken, tail.lines + held.lines + 1, mask);
    spentBytes += Math.max(piece.length, daemonBytes(taken));
    held = {
      pieces: [...held.pieces, piece],
      bytes: held.bytes + piece.length,
      lines: held.lines + taken.length,
      lastAt: last.at,
      gaps: held.gaps + taken.filter((line) => line.afterGap).length,
    };
    taken = [];
    takenChars = 0;
  }

  async function storeHeld(): Promise<void> {
    // The point to resume from is that of the last line taken, so that one must be in this chunk.
    hold();
    if (held.lines === 0) return;
    const { pieces, lines: lineCount, lastAt, gaps } = held;
    const raw = pieces.length === 1 && pieces[0] ? pieces[0] : Buffer.concat(pieces);
    const next = nextChunk(attemptId, tail, { raw, lineCount, lastAt, gaps, resume: resume.point() });
    held = NOTHING;
    tail = next.tail;
    if (!(await insertLogChunk(db, epoch, next.chunk)))
      throw new LogTakenOverError(`chunk ${next.chunk.seq} of ${attemptId}`);
    on.stored((Date.now() - Date.parse(lastAt)) / 1_000);
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
    flush,
    take: (line) => {
      const seen = reread(line);
      if (seen === 'new_after_gap') resume.restart(line);
      if (seen !== 'stored') {
        full ||= spentBytes + takenChars + line.text.length > ATTEMPT_LOG_MAX_BYTES;
        if (full) {
          linesCut += 1;
          return;
        }
        taken.push(seen === 'new_after_gap' ? { ...line, afterGap: true } : line);
        takenChars += line.text.length;
      }
      resume.note(line);
    },
    room: async () => {
      hold();
      if (held.lines >= CHUNK_LINES_MAX || held.bytes >= CHUNK_BYTES_MAX) await flush();
      else if (held.lines > 0) timer ??= setTimeout(() => void flush().catch(on.error), FLUSH_AFTER_MS);
    },
    tailLost: () => {
      taken.push({ at: new Date().toISOString(), stream: 'stderr', text: TAIL_LOST, continues: false, afterGap: true });
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
      taken = [];
      held = NOTHING;
    },
  };
}
