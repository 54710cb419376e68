/** From the daemon's frames to whole lines with their timestamps. */
import type { Frame } from '../engine/demux.ts';
import { LINE_MAX_BYTES } from './limits.ts';
import { CONTEXT_MAX_CHARS } from './masker.ts';

export type LogLine = {
  /** The daemon's timestamp, RFC 3339 with nanoseconds, of the line's first byte. */
  at: string;
  stream: 'stdout' | 'stderr';
  text: string;
  /** The line was too long: this is a part of LINE_MAX_BYTES, and the next line of this stream goes on. */
  continues: boolean;
  /** What stands before and after a part on its line, for the masker: a secret may lie across the border. */
  around?: { before: string; after: string };
  /** The timestamp of the earliest line that had begun and not ended when this one was taken. */
  openSince?: string;
};

/** A part is taken when this much of what follows it is there. */
const LOOK_AHEAD_BYTES = 16 * 1024;
const NEWLINE = 0x0a;
const SPACE = 0x20;

type Open = { at: string; pieces: Buffer[]; bytes: number; before: string };

/** The last place at or before `limit` that is not inside a letter. */
function letterBorder(bytes: Buffer, limit: number): number {
  let at = limit;
  while (at > limit - 4 && ((bytes[at] ?? 0) & 0xc0) === 0x80) at -= 1;
  return at;
}

export type LineAssembler = {
  /** The line, or the part of one, that this frame completes. */
  take: (frame: Frame) => LogLine | undefined;
  /** What stands unfinished at the end of the output. */
  rest: () => LogLine[];
};

/**
 * Gives lines in the order in which they end. The daemon cuts long lines into frames of 16 KiB and puts the line's
 * timestamp before each; a frame that does not end in a newline is a piece. Where a line is cut into parts depends on
 * its bytes alone, so that whoever reads it again cuts it in the same places.
 */
export function assembleLines(): LineAssembler {
  const open: Record<Frame['stream'], Open | undefined> = { stdout: undefined, stderr: undefined };

  const openSince = (): { openSince?: string } => {
    const since = [open.stdout?.at, open.stderr?.at].filter((at) => at !== undefined).toSorted()[0];
    return since === undefined ? {} : { openSince: since };
  };

  function end(stream: Frame['stream'], line: Open): LogLine {
    open[stream] = undefined;
    const text = (line.pieces.length === 1 ? line.pieces[0] : Buffer.concat(line.pieces))?.toString('utf8') ?? '';
    const around = line.before === '' ? {} : { around: { before: line.before, after: '' } };
    return { at: line.at, stream, text, continues: false, ...around, ...openSince() };
  }

  function cut(stream: Frame['stream'], line: Open): LogLine {
    const all = Buffer.concat(line.pieces);
    const border = letterBorder(all, LINE_MAX_BYTES);
    const text = all.toString('utf8', 0, border);
    const rest = all.subarray(border);
    const around = { before: line.before, after: rest.toString('utf8').slice(0, CONTEXT_MAX_CHARS) };
    open[stream] = { at: line.at, pieces: [rest], bytes: rest.length, before: text.slice(-CONTEXT_MAX_CHARS) };
    return { at: line.at, stream, text, continues: true, around, ...openSince() };
  }

  return {
    take: ({ stream, payload }) => {
      const space = payload.indexOf(SPACE);
      const ends = payload.at(-1) === NEWLINE;
      const piece = payload.subarray(space + 1, ends ? payload.length - 1 : payload.length);
      const line = open[stream] ?? { at: payload.toString('latin1', 0, space), pieces: [], bytes: 0, before: '' };
      line.pieces.push(piece);
      line.bytes += piece.length;
      if (ends) return end(stream, line);
      open[stream] = line;
      return line.bytes >= LINE_MAX_BYTES + LOOK_AHEAD_BYTES ? cut(stream, line) : undefined;
    },
    rest: () =>
      (['stdout', 'stderr'] as const).flatMap((stream) => {
        const line = open[stream];
        return line ? [end(stream, line)] : [];
      }),
  };
}

const MESSAGE_START = Buffer.from('{"lading":');

/** The text of a frame that may be a message of the job; undefined, at the price of a look at its first letters, else. */
export function messageText({ stream, payload }: Frame): string | undefined {
  if (stream === 'stderr') return undefined;
  const start = payload.indexOf(SPACE) + 1;
  const isMessage =
    payload[start] === MESSAGE_START[0] && payload.subarray(start, start + MESSAGE_START.length).equals(MESSAGE_START);
  return isMessage ? payload.toString('utf8', start).trimEnd() : undefined;
}

export const endsLine = ({ payload }: Frame): boolean => payload.at(-1) === NEWLINE;

/** `2026-01-02T03:04:05.123456789Z` as the `seconds.nanoseconds` that Docker's `since` takes; RFC 3339 there is an error. */
export function sinceOf(at: string): string {
  const [, second, fraction = ''] = /^(.+:\d\d)(?:\.(\d+))?Z$/.exec(at) ?? [];
  const seconds = Date.parse(`${second}Z`) / 1000;
  if (!Number.isInteger(seconds)) throw new Error(`not a daemon timestamp: ${at}`);
  return `${seconds}.${fraction.padEnd(9, '0')}`;
}
