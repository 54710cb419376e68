/**
 * The log of an attempt as a stream of bounded memory: a page of chunks at a time, the next one when the reader has taken
 * the one before. Following it waits for notifications and asks nothing of Postgres meanwhile.
 */
import { Readable } from 'node:stream';
import { formatLine, linesOf, parseLine, textOf } from '../../sql/log-lines.ts';
import { chunkAfterLine, isLogOver, readLog, type Reading } from '../../sql/logs.ts';
import type { Pool } from '../../sql/pool.ts';
import type { News } from '../news.ts';

/** How many chunks are in memory at once for a reader, each a few hundred KiB. */
const PAGE_CHUNKS = 4;
const PIECE_CHARS = 64 * 1024;
/** A reader that does not take a piece within this time is no reader. */
const SLOW_READER_LIMIT_MS = 30_000;
/** Below the idle limits usual in proxies. */
const HEARTBEAT_MS = 20_000;
/** Then the reader comes again, from the line he has. */
const STREAM_LIMIT_MS = 60 * 60_000;

export type LogWish = {
  attemptId: string;
  jobId: string;
  /** Nothing up to this line. */
  after: number;
  format: 'text' | 'ndjson';
  reading: Reading;
};

type Growth = { wait: (limitMs: number) => Promise<'grown' | 'quiet' | 'ended'>; stop: () => void };

/** Listening comes before the first look, so that nothing grows unseen. Throws `too_many_listeners`. */
export async function hearGrowth(news: News, wish: LogWish, signal: AbortSignal): Promise<Growth> {
  let grown = false;
  let ended = false;
  let wake = (): void => undefined;
  const moved = (): void => {
    grown = true;
    wake();
  };
  const end = (): void => {
    ended = true;
    wake();
  };
  const leaveLog = await news.listen(wish.attemptId, { moved, end });
  const leaveJob = await news.listen(wish.jobId, { moved, end }).catch((error: unknown) => {
    leaveLog();
    throw error;
  });
  const limit = setTimeout(end, STREAM_LIMIT_MS);
  signal.addEventListener('abort', end, { once: true });
  return {
    wait: async (limitMs) => {
      if (!grown && !ended) {
        let quiet: NodeJS.Timeout | undefined;
        await new Promise<void>((resolve) => {
          wake = resolve;
          quiet = setTimeout(resolve, limitMs);
        });
        clearTimeout(quiet);
      }
      if (ended) return 'ended';
      const heard = grown ? 'grown' : 'quiet';
      grown = false;
      return heard;
    },
    stop: () => {
      clearTimeout(limit);
      leaveLog();
      leaveJob();
    },
  };
}

/** What of a chunk comes after the line `after`. */
function shown(zstd: Buffer, { after, format }: LogWish, firstLine: number): string {
  if (format === 'text')
    return linesOf(zstd)
      .filter((line) => line.n > after)
      .map((line) => formatLine(line, false))
      .join('');
  const text = textOf(zstd);
  if (firstLine > after) return text;
  return text
    .split('\n')
    .filter((line) => line !== '' && parseLine(line).n > after)
    .map((line) => `${line}\n`)
    .join('');
}

/**
 * NDJSON ends with `{"over":…}`, whether more can come; a stream without that line was cut, and its reader comes again.
 * Empty lines of NDJSON only say that somebody is still there.
 */
async function* textsOf(pool: Pool, wish: LogWish, growth: Growth | undefined): AsyncGenerator<string> {
  let next = wish.after === 0 ? 0 : await chunkAfterLine(pool, wish.attemptId, wish.after);
  for (;;) {
    // Asked before the chunks: what was stored until then is read now.
    const over = await isLogOver(pool, wish.attemptId);
    for (;;) {
      const page = await readLog(pool, wish.attemptId, next, PAGE_CHUNKS, wish.reading);
      for (const chunk of page) yield shown(chunk.zstd, wish, chunk.first_line);
      const last = page.at(-1);
      if (last === undefined) break;
      next = last.seq + 1;
    }
    if (over || !growth) {
      if (wish.format === 'ndjson') yield `${JSON.stringify({ over })}\n`;
      return;
    }
    let heard = await growth.wait(HEARTBEAT_MS);
    while (heard === 'quiet') {
      if (wish.format === 'ndjson') yield '\n';
      heard = await growth.wait(HEARTBEAT_MS);
    }
    if (heard === 'ended') return;
  }
}

/** `onDone` is called once, when the stream has ended in whatever way. */
export function logStream(
  pool: Pool,
  wish: LogWish,
  growth: Growth | undefined,
  onDone: () => void,
  slowLimitMs = SLOW_READER_LIMIT_MS,
): Readable {
  async function* pieces(): AsyncGenerator<string> {
    for await (const text of textsOf(pool, wish, growth))
      for (let at = 0; at < text.length; at += PIECE_CHARS) {
        const slow = setTimeout(() => stream.destroy(), slowLimitMs);
        try {
          yield text.slice(at, at + PIECE_CHARS);
        } finally {
          clearTimeout(slow);
        }
      }
  }
  const stream = Readable.from(pieces(), { objectMode: false, highWaterMark: PIECE_CHARS });
  stream.once('close', () => {
    growth?.stop();
    onDone();
  });
  return stream;
}
