import { describe, expect, test } from '@jest/globals';
import type { Frame } from '../engine/demux.ts';
import { LINE_MAX_BYTES, linesOf, sinceOf, type LogLine } from './line.ts';

const AT = '2026-01-02T03:04:05.000000001Z';
const out = (text: string, at = AT): Frame => ({ stream: 'stdout', payload: Buffer.from(`${at} ${text}`) });
const err = (text: string): Frame => ({ stream: 'stderr', payload: Buffer.from(`${AT} ${text}`) });

async function read(frames: Frame[]): Promise<LogLine[]> {
  const lines: LogLine[] = [];
  for await (const line of linesOf(
    (async function* () {
      yield* frames;
    })(),
  ))
    lines.push(line);
  return lines;
}

describe('lines from frames', () => {
  test('a line the daemon cut at 16 KiB is one line again, without the timestamps inside', async () => {
    const part = 'x'.repeat(16_384);
    const lines = await read([out(part), out(part), out('end\n')]);
    expect(lines).toEqual([{ at: AT, stream: 'stdout', text: `${part}${part}end`, continues: false }]);
  });

  test('stdout and stderr do not cut each other', async () => {
    const lines = await read([out('a'), err('b\n'), out('c\n')]);
    expect(lines.map((line) => [line.stream, line.text])).toEqual([
      ['stderr', 'b'],
      ['stdout', 'ac'],
    ]);
  });

  test('a letter cut in two by the frame border stays whole', async () => {
    const bytes = Buffer.from('đ\n');
    const frames = [bytes.subarray(0, 1), bytes.subarray(1)].map((half): Frame => ({
      stream: 'stdout',
      payload: Buffer.concat([Buffer.from(`${AT} `), half]),
    }));
    expect((await read(frames))[0]?.text).toBe('đ');
  });

  test('the last line without a newline is kept, and so are empty lines', async () => {
    expect((await read([out('\n'), out('last')])).map((line) => line.text)).toEqual(['', 'last']);
  });

  test('a line without end comes in marked parts, none of it lost', async () => {
    const frames = Array.from({ length: 40 }, () => out('y'.repeat(16_384)));
    const lines = await read(frames);
    expect(lines.length).toBeGreaterThan(1);
    expect(lines.slice(0, -1).every((line) => line.continues && line.text.length >= LINE_MAX_BYTES)).toBe(true);
    expect(lines.map((line) => line.text).join('')).toHaveLength(40 * 16_384);
  });
});

test('a daemon timestamp becomes the seconds and nanoseconds that `since` takes', () => {
  expect(sinceOf('2026-01-02T03:04:05.123456789Z')).toBe('1767323045.123456789');
  expect(sinceOf('2026-01-02T03:04:05.5Z')).toBe('1767323045.500000000');
  expect(() => sinceOf('yesterday')).toThrow('not a daemon timestamp');
});
