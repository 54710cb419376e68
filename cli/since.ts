/** Moments as the daemon writes them, compared to the nanosecond. */
import { CommandError, EXIT } from './exit.ts';

const UNIT_MS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const DURATION = /^(\d+(?:\.\d+)?)([smhd])$/;
const TIMESTAMP = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)?)?$/;
const UTC = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z$/;

/** A daemon's timestamp in a form whose order is that of time. */
function sortable(at: string): string {
  const [, second = at, fraction = ''] = UTC.exec(at) ?? [];
  return `${second}.${fraction.padEnd(9, '0')}`;
}

/** From `10m` (before `now`; s, m, h or d) or a timestamp to a test of whether a line is older. Throws on anything else. */
export function olderThan(since: string, now: Date): (at: string) => boolean {
  const [, count, unit] = DURATION.exec(since) ?? [];
  const fromNow = count === undefined ? undefined : Number(count) * UNIT_MS[unit as keyof typeof UNIT_MS];
  const ms = fromNow === undefined ? (TIMESTAMP.test(since) ? Date.parse(since) : NaN) : now.getTime() - fromNow;
  if (Number.isNaN(new Date(ms).getTime()))
    throw new CommandError(
      EXIT.usage,
      `--since is a duration such as 10m, or a timestamp such as 2026-01-31T08:00:00Z, not ${since}`,
    );
  const limit = sortable(UTC.test(since) ? since : new Date(ms).toISOString());
  return (at) => sortable(at) < limit;
}
