/** From the daemon's frames to whole lines with their timestamps. */
import type { Frame } from '../engine/demux.ts';

export type LogLine = {
  /** The daemon's timestamp, RFC 3339 with nanoseconds, of the line's first byte. */
  at: string;
  stream: 'stdout' | 'stderr';
  text: string;
  /** The line was longer than LINE_MAX_BYTES: this is a part, and the next line of this stream goes on. */
  continues: boolean;
};

export const LINE_MAX_BYTES = 256 * 1024;

type Partial = { at: string; parts: Buffer[]; bytes: number };

/**
 * Yields lines in the order in which they end. The daemon cuts long lines into frames of 16 KiB and puts a timestamp
 * before each; a frame that does not end in a newline is a part. What stands unfinished at the end is yielded too.
 */
export async function* linesOf(frames: AsyncIterable<Frame>): AsyncGenerator<LogLine> {
  const held: Record<Frame['stream'], Partial | undefined> = { stdout: undefined, stderr: undefined };
  const take = (stream: Frame['stream'], partial: Partial, continues: boolean): LogLine => {
    held[stream] = undefined;
    return { at: partial.at, stream, text: Buffer.concat(partial.parts).toString('utf8'), continues };
  };
  for await (const { stream, payload } of frames) {
    const space = payload.indexOf(0x20);
    const at = payload.subarray(0, space).toString('latin1');
    const ends = payload.at(-1) === 0x0a;
    const text = payload.subarray(space + 1, ends ? payload.length - 1 : payload.length);
    const partial = held[stream] ?? { at, parts: [], bytes: 0 };
    partial.parts.push(text);
    partial.bytes += text.length;
    held[stream] = partial;
    if (ends) yield take(stream, partial, false);
    else if (partial.bytes >= LINE_MAX_BYTES) yield take(stream, partial, true);
  }
  for (const stream of ['stdout', 'stderr'] as const) {
    const partial = held[stream];
    if (partial) yield take(stream, partial, false);
  }
}

/** `2026-01-02T03:04:05.123456789Z` as the `seconds.nanoseconds` that Docker's `since` takes; RFC 3339 there is an error. */
export function sinceOf(at: string): string {
  const [, second, fraction = ''] = /^(.+:\d\d)(?:\.(\d+))?Z$/.exec(at) ?? [];
  const seconds = Date.parse(`${second}Z`) / 1000;
  if (!Number.isInteger(seconds)) throw new Error(`not a daemon timestamp: ${at}`);
  return `${seconds}.${fraction.padEnd(9, '0')}`;
}
