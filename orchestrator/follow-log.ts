/** From a container's output to its stored log, and what the job says of itself on the way. */
import { parseJobMessage, type JobMessage, type Progress } from '../job-image/contract/messages.ts';
import { recordProgress, type AttemptRow, type Lease } from '../sql/attempts.ts';
import type { Pool } from '../sql/pool.ts';
import type { Frame } from './engine/demux.ts';
import type { Engine } from './engine/engine.ts';
import { assembleLines, endsLine, messageText, type LogLine } from './logs/line.ts';
import { makeLogWriter, type LogWriter } from './logs/log-writer.ts';
import type { Mask } from './logs/masker.ts';

const PROGRESS_EVERY_MS = 250;

export type FollowDeps = { pool: Pool; engine: Engine };
export type End = Extract<JobMessage, { lading: 'end' }>;

/** Keeps what the job says of itself: its progress in the row, its last words in memory. */
function hearMessages(deps: FollowDeps, lease: Lease, mask: Mask) {
  let end: End | undefined;
  let progressAt = 0;
  let unwritten: Progress | undefined;
  return {
    end: () => end,
    hear: (text: string): void => {
      const message = parseJobMessage(text);
      // Its words go into the tables, as the log does.
      if (message?.lading === 'end') end = { ...message, detail: mask(message.detail) };
      if (message?.lading !== 'progress') return;
      const { lading: _, ...progress } = message;
      unwritten = progress;
    },
    writeProgress: async (): Promise<void> => {
      if (!unwritten || Date.now() - progressAt < PROGRESS_EVERY_MS) return;
      const progress = unwritten;
      unwritten = undefined;
      progressAt = Date.now();
      await recordProgress(deps.pool, lease, progress);
    },
  };
}

export type Followed = { end: End | undefined; writer: LogWriter };

/** Stores log lines until the container's output ends; answers the job's last words, and the writer for the end record. */
export async function followLog(
  deps: FollowDeps,
  attempt: AttemptRow,
  containerId: string,
  mask: Mask,
  signal: AbortSignal,
): Promise<Followed> {
  const lease = { attemptId: attempt.id, epoch: attempt.lease_epoch };
  const failed = new AbortController();
  let storeError: unknown;
  const writer = await makeLogWriter(deps.pool, lease, mask, (error) => {
    storeError = error;
    failed.abort();
  });
  const messages = hearMessages(deps, lease, mask);
  const lines = assembleLines();
  const keep = (line: LogLine): void => {
    writer.take(line);
    if (line.stream === 'stdout') messages.hear(line.text);
  };
  /** A flood: nothing of it is kept any more, so nothing is put together, but the job is still heard. */
  const skim = (frame: Frame): void => {
    if (endsLine(frame)) writer.cut();
    const message = messageText(frame);
    if (message !== undefined) messages.hear(message);
  };
  try {
    const batches = deps.engine.logs(containerId, writer.since, AbortSignal.any([signal, failed.signal]));
    for await (const frames of batches) {
      for (const frame of frames) {
        if (writer.isFull()) skim(frame);
        else {
          const line = lines.take(frame);
          if (line) keep(line);
        }
      }
      await writer.room();
      await messages.writeProgress();
    }
    if (!writer.isFull()) for (const line of lines.rest()) keep(line);
    await writer.flush();
    return { end: messages.end(), writer };
  } catch (error) {
    throw storeError ?? error;
  } finally {
    writer.abandon();
  }
}
