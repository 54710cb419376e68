/**
 * Where a log is to be read again from after a crash, and what of it is stored already. The daemon gives every frame
 * whose timestamp is not before `since`, in the order of its file; that order is nearly, not exactly, the order of the
 * timestamps: the two streams overtake each other by moments, and a long line keeps the timestamp it began with until
 * it ends. So the log is read again from a line well before the last one, and as many lines are dropped as are known
 * to be stored from there on. Pure.
 */
import type { LogLine } from './line.ts';

/** `lines` lines of the stored log have the timestamp `at` or a later one; `at` is undefined for the very beginning. */
export type ResumePoint = { at: string | undefined; lines: number };

/** The second of `2026-01-02T03:04:05.000000006Z`. */
const SECOND_CHARS = 19;
/** The last point and the one before it may be a moment old, the one before that is at least a second. */
const POINTS_AHEAD = 2;
/** While a line stays open for long, its point stays too, and no more than these are kept beside it. */
const POINTS_MAX = 8;

/** Follows the lines of a log in order and knows from where it would have to be read again. */
export function trackResume(from: string | undefined): {
  note: (line: LogLine) => void;
  /** As of the last line noted. */
  point: () => ResumePoint;
  /** The lines before this one are lost: nothing before it can be read again. */
  restart: (line: LogLine) => void;
} {
  let points: ResumePoint[] = [{ at: from, lines: 0 }];
  let latest = from ?? '';
  let openSince: string | undefined;

  const isSafe = (point: ResumePoint): boolean => openSince === undefined || (point.at ?? '') <= openSince;

  return {
    note: (line) => {
      openSince = line.openSince;
      if (line.at > latest) {
        const isNewSecond = line.at.slice(0, SECOND_CHARS) > (points.at(-1)?.at ?? '').slice(0, SECOND_CHARS);
        if (isNewSecond && points.length < POINTS_MAX) points.push({ at: line.at, lines: 0 });
        latest = line.at;
      }
      for (const point of points) if (line.at >= (point.at ?? '')) point.lines += 1;
      while (points.length > POINTS_AHEAD + 1 && points[1] && isSafe(points[1])) points.shift();
    },
    point: () => ({ ...(points[0] ?? { at: from, lines: 0 }) }),
    restart: (line) => {
      points = [{ at: line.at, lines: 0 }];
      latest = line.at;
    },
  };
}

export type Reread = 'new' | 'stored' | 'new_after_gap';

/**
 * Tells the lines that a daemon gives from `point` on. `lastAt` is the timestamp of the last stored line. The line that
 * made the point is the first one to come back; when it does not, the daemon has rotated it away, and what was not
 * stored by then and is older than the first line is lost.
 */
export function recogniseStored(point: ResumePoint, lastAt: string | null): (line: LogLine) => Reread {
  let toCome = point.lines;
  let isFirst = true;
  let isRotated = false;
  return (line) => {
    if (isFirst) {
      isFirst = false;
      isRotated = point.at !== undefined && line.at !== point.at;
      if (isRotated && lastAt !== null && line.at > lastAt) {
        isRotated = false;
        toCome = 0;
        return 'new_after_gap';
      }
    }
    if (isRotated) {
      if (lastAt !== null && line.at <= lastAt) return 'stored';
      isRotated = false;
      toCome = 0;
    }
    if (toCome === 0) return 'new';
    toCome -= 1;
    return 'stored';
  };
}
