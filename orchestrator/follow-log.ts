/** From a container's output to its stored log, and what the job says of itself on the way. */
import { parseJobMessage, type JobMessage, type Progress } from '../job-image/contract/messages.ts';
import { recordProgress, type AttemptRow, type Lease } from '../sql/attempts.ts';
import { NO_LOG } from '../sql/logs.ts';
import type { Pool } from '../sql/pool.ts';
import type { Frame } from './engine/demux.ts';
import type { Engine } from './engine/engine.ts';
import { assembleLines, endsLine, messageText, type LogLine } from './logs/line.ts';
import { makeLogWriter, type LogWriter } from './logs/log-writer.ts';
import type { Mask } from './logs/masker.ts';

const PROGRESS_EVERY_MS = 250;
const LAST_FRAMES = 100;

export type FollowDeps = {
  pool: Pool;
  engine: Engine;
  /** A piece of a log is stored, so long after its last line was said. */
  onLogStored: (lagSeconds: number) => void;
};
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

/**
 * Stores log lines until the container's output ends; answers the job's last words, and the writer for the end record.
 * Of a container that was `justStarted` under this lease nothing can be stored yet.
 */
export async function followLog(
  deps: FollowDeps,
  attempt: AttemptRow,
  containerId: string,
  mask: Mask,
  signal: AbortSignal,
  justStarted: boolean,
): Promise<Followed> {
  const lease = { attemptId: attempt.id, epoch: attempt.lease_epoch };
  const failed = new AbortController();
  /** A flood is not read to its end: once nothing is kept any more, the end of the container is enough. */
  const flooded = new AbortController();
  const done = new AbortController();
  let storeError: unknown;
  const onStoreError = (error: unknown): void => {
    storeError = error;
    failed.abort();
  };
  const writer = await makeLogWriter(
    deps.pool,
    lease,
    mask,
    { error: onStoreError, stored: deps.onLogStored },
    justStarted ? NO_LOG : undefined,
  );
  let awaitsEnd = false;
  const stopAtEnd = (): void => {
    if (awaitsEnd) return;
    awaitsEnd = true;
    const ended = deps.engine.wait(containerId, AbortSignal.any([signal, done.signal]));
    // An engine that does not answer is found by the stream itself.
    ended.then(() => flooded.abort()).catch(() => undefined);
  };
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
  async function read(): Promise<void> {
    const cut = AbortSignal.any([signal, failed.signal, flooded.signal]);
    for await (const frames of deps.engine.logs(containerId, { since: writer.since }, cut)) {
      for (const frame of frames) {
        if (writer.isFull()) skim(frame);
        else {
          const line = lines.take(frame);
          if (line) keep(line);
        }
      }
      if (writer.isFull()) stopAtEnd();
      await writer.room();
      await messages.writeProgress();
    }
    if (!writer.isFull()) for (const line of lines.rest()) keep(line);
  }
  try {
    await read().catch((error: unknown) => {
      if (!flooded.signal.aborted || signal.aborted) throw error;
    });
    await writer.flush();
    return { end: messages.end(), writer };
  } catch (error) {
    throw storeError ?? error;
  } finally {
    done.abort();
    writer.abandon();
  }
}

/** What the job said at the very end of a flood, of a container that has ended. */
export async function lastWords(
  deps: FollowDeps,
  attempt: AttemptRow,
  containerId: string,
  mask: Mask,
  signal: AbortSignal,
): Promise<End | undefined> {
  const messages = hearMessages(deps, { attemptId: attempt.id, epoch: attempt.lease_epoch }, mask);
  for await (const frames of deps.engine.logs(containerId, { lastFrames: LAST_FRAMES }, signal))
    for (const frame of frames) {
      const message = messageText(frame);
      if (message !== undefined) messages.hear(message);
    }
  return messages.end();
}
