/**
 * A file of secrets that is being rotated: one a line, the newest first, each with the time it is good for.
 *
 *   SECRET
 *   SECRET from=2026-01-31T00:00:00Z until=2026-02-01T00:00:00Z
 *
 * Until `from` a secret is accepted and not yet used, so that all processes know it before one of them signs with it; at
 * `until` it is refused by everybody, without anyone having to take it out of the file.
 */
export type SecretLine = { readonly value: string; readonly from?: Date; readonly until?: Date };

const LINES_MAX = 4;
const LINE = /^(\S+)(?: +from=(\S+))?(?: +until=(\S+))?$/;
const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z$/;

function instant(text: string | undefined): Date | undefined {
  if (text === undefined) return undefined;
  const at = INSTANT.test(text) ? new Date(text) : new Date(Number.NaN);
  if (Number.isNaN(at.getTime())) throw new RangeError(`${text} is not a time such as 2026-01-31T00:00:00Z`);
  return at;
}

/** Throws RangeError, which never shows a secret. */
export function parseSecretLines(text: string): SecretLine[] {
  const lines = text.split('\n').flatMap((line) => line.trim() || []);
  if (lines.length < 1 || lines.length > LINES_MAX) throw new RangeError(`needs one to ${LINES_MAX} lines`);
  return lines.map((line, i) => {
    const [, value, fromText, untilText] = LINE.exec(line) ?? [];
    if (value === undefined) throw new RangeError(`line ${i + 1} is not SECRET [from=TIME] [until=TIME]`);
    const [from, until] = [instant(fromText), instant(untilText)];
    return { value, ...(from && { from }), ...(until && { until }) };
  });
}

const shown = (name: string, at: Date | undefined): string => (at ? ` ${name}=${at.toISOString()}` : '');
export const formatSecretLines = (lines: readonly SecretLine[]): string =>
  lines.map(({ value, from, until }) => `${value}${shown('from', from)}${shown('until', until)}\n`).join('');

/** Those that are accepted now, the newest first. */
export const acceptedAt = <L extends SecretLine>(lines: readonly L[], now: Date): L[] =>
  lines.filter(({ until }) => until === undefined || now < until);

/** The one to use now: the newest whose time has come, else the oldest that is accepted. */
export function usedAt<L extends SecretLine>(lines: readonly L[], now: Date): L | undefined {
  const accepted = acceptedAt(lines, now);
  return accepted.find(({ from }) => from === undefined || from <= now) ?? accepted.at(-1);
}

/**
 * `fresh` in front; what was used until now goes on for the overlap. Throws RangeError while an overlap is under way: what
 * was promised to be good would be dropped. With `replace` it takes the place of the newest, which was a mistake, and what
 * is good beside it stays so.
 */
export function rotateLines(
  lines: readonly SecretLine[],
  fresh: string,
  { now, overlapMs, settleMs, replace }: { now: Date; overlapMs: number; settleMs: number; replace?: boolean },
): SecretLine[] {
  if (lines.some(({ value }) => value === fresh)) throw new RangeError('the new secret stands in the file already');
  const accepted = acceptedAt(lines, now);
  if (replace) return [{ value: fresh }, ...accepted.filter((line) => line !== lines[0])];
  const promised = accepted.find((line) => line.until !== undefined)?.until;
  if (promised) throw new RangeError(`a rotation is under way: the one before is good until ${promised.toISOString()}`);
  const until = new Date(now.getTime() + overlapMs);
  const kept = usedAt(lines, now);
  const from = settleMs > 0 ? { from: new Date(now.getTime() + settleMs) } : {};
  return [
    { value: fresh, ...from },
    ...(kept ? [{ value: kept.value, until: kept.until && kept.until < until ? kept.until : until }] : []),
  ];
}
