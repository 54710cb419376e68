import type { Progress } from './contract/messages.ts';

export const PROGRESS_EVERY_MS = 500;

export type ProgressMeter = {
  /** Negative where a file starts again. */
  bytes: (count: number) => void;
  /** Of a file that an earlier attempt left half sent: no part of the speed. Negative where it starts again after all. */
  resumed: (bytes: number) => void;
  /** A file that an earlier attempt delivered: done, and no part of the speed. */
  skipped: (bytes: number) => void;
  fileDone: () => void;
  /** Says where things stand, however short ago the last time was. */
  say: () => void;
};

const secondsLeft = (total: number, done: number, perSecond: number): { secondsLeft?: number } =>
  perSecond > 0 && total > 0 ? { secondsLeft: Math.ceil(Math.max(total - done, 0) / perSecond) } : {};

/** Speaks at most once in PROGRESS_EVERY_MS, when something moved. `nowMs` is a clock that never goes back. */
export function makeProgress(
  totals: { filesTotal: number; bytesTotal: number },
  speak: (progress: Progress) => void,
  nowMs: () => number,
): ProgressMeter {
  const startedMs = nowMs();
  let filesDone = 0;
  let carried = 0;
  let skipped = 0;
  let spokenMs = -Infinity;
  const say = (): void => {
    spokenMs = nowMs();
    const seconds = (spokenMs - startedMs) / 1_000;
    const bytesPerSecond = seconds > 0 ? Math.round(Math.max(carried, 0) / seconds) : 0;
    const bytesDone = Math.max(carried + skipped, 0);
    speak({
      ...totals,
      filesDone,
      bytesDone,
      bytesPerSecond,
      ...secondsLeft(totals.bytesTotal, bytesDone, bytesPerSecond),
    });
  };
  const moved = (): void => {
    if (nowMs() - spokenMs >= PROGRESS_EVERY_MS) say();
  };
  return {
    say,
    bytes: (count) => {
      if (count === 0) return;
      carried += count;
      moved();
    },
    resumed: (bytes) => {
      skipped += bytes;
      moved();
    },
    skipped: (bytes) => {
      skipped += bytes;
      filesDone += 1;
      moved();
    },
    fileDone: () => {
      filesDone += 1;
      moved();
    },
  };
}
