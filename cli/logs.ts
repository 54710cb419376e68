import { hearLog } from '../sql/hear-log.ts';
import { logReadsOfJob } from '../sql/log-reports.ts';
import { isLogOver, readLog, type Reading, type StoredChunk } from '../sql/logs.ts';
import type { Database, Pool } from '../sql/pool.ts';
import { attemptCalled, jobCalled } from './attempt-called.ts';
import { formatLine, linesOf } from './log-lines.ts';
import { json, table } from './print.ts';
import { olderThan } from './since.ts';

/** How many chunks are in memory at once, each a few hundred KiB. */
const PAGE_CHUNKS = 16;
const READS_LISTED_MAX = 500;

/** The stored chunks of an attempt from `fromSeq` on, page by page, as far as there are any now. */
export async function* storedChunks(
  db: Database,
  attemptId: string,
  fromSeq: number,
  reading: Reading,
): AsyncGenerator<StoredChunk> {
  let next = fromSeq;
  for (;;) {
    const page = await readLog(db, attemptId, next, PAGE_CHUNKS, reading);
    yield* page;
    const last = page.at(-1);
    if (last === undefined) return;
    next = last.seq + 1;
  }
}

export type LogOptions = {
  attempt: number | undefined;
  follow: boolean;
  since: string | undefined;
  raw: boolean;
  reading: Reading;
};

/** The log of one attempt, chunk by chunk. Following it ends with the log, or when `signal` is aborted. */
export async function* showLogs(
  pool: Pool,
  idOrCode: string,
  options: LogOptions,
  signal: AbortSignal,
): AsyncGenerator<string> {
  const isOld = options.since === undefined ? () => false : olderThan(options.since, new Date());
  const { job, attempt } = await attemptCalled(pool, idOrCode, options.attempt);
  const client = await pool.connect();
  try {
    const grown = options.follow ? await hearLog(client, { id: attempt.id, jobId: job.id }, signal) : undefined;
    let next = 0;
    for (;;) {
      // Asked before the chunks: what was stored until then is read now.
      const isLast = grown === undefined || (await isLogOver(client, attempt.id));
      for await (const chunk of storedChunks(client, attempt.id, next, options.reading)) {
        next = chunk.seq + 1;
        yield linesOf(chunk.zstd)
          .filter((line) => !isOld(line.t))
          .map((line) => formatLine(line, options.raw))
          .join('');
        if (signal.aborted) return;
      }
      if (isLast) return;
      await grown();
      if (signal.aborted) return;
    }
  } finally {
    client.release(true); // it may still listen
  }
}

/** Who read the logs of a job. */
export async function showLogReads(pool: Pool, idOrCode: string, asJson: boolean): Promise<string> {
  const job = await jobCalled(pool, idOrCode);
  const reads = await logReadsOfJob(pool, job.id, READS_LISTED_MAX);
  if (asJson) return json(reads);
  const columns = ['last_at', 'n', 'reader', 'person', 'address', 'via', 'reason', 'from_seq', 'to_seq'] as const;
  return table(reads, columns);
}
