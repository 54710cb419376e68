import { describe, expect, test } from '@jest/globals';
import type { Frame } from '../engine/demux.ts';
import { LINE_MAX_BYTES } from './limits.ts';
import { assembleLines, messageText, sinceOf, type LogLine } from './line.ts';

const AT = '2026-01-02T03:04:05.000000001Z';
const LATER = '2026-01-02T03:04:06.000000001Z';
const out = (text: string, at = AT): Frame => ({ stream: 'stdout', payload: Buffer.from(`${at} ${text}`) });
const err = (text: string, at = AT): Frame => ({ stream: 'stderr', payload: Buffer.from(`${at} ${text}`) });

function read(frames: Frame[]): LogLine[] {
  const lines = assembleLines();
  return [...frames.flatMap((frame) => lines.take(frame) ?? []), ...lines.rest()];
}

/** A line without a newline as the daemon cuts it. */
const pieces = (bytes: Buffer): Frame[] =>
  Array.from({ length: Math.ceil(bytes.length / 16_384) }, (_, i) => ({
    stream: 'stdout',
    payload: Buffer.concat([Buffer.from(`${AT} `), bytes.subarray(i * 16_384, (i + 1) * 16_384)]),
  }));

describe('lines from frames', () => {
  test('a line the daemon cut at 16 KiB is one line again, without the timestamps inside', () => {
    const part = 'x'.repeat(16_384);
    expect(read([out(part), out(part), out('end\n')])).toEqual([
      { at: AT, stream: 'stdout', text: `${part}${part}end`, continues: false },
    ]);
  });

  test('stdout and stderr do not cut each other, and a line says since when another stands open', () => {
    const lines = read([out('a'), err('b\n', LATER), out('c\n')]);
    expect(lines.map((line) => [line.stream, line.text, line.openSince])).toEqual([
      ['stderr', 'b', AT],
      ['stdout', 'ac', undefined],
    ]);
  });

  test('a letter cut in two by the frame border stays whole', () => {
    const bytes = Buffer.from('đ\n');
    const frames = [bytes.subarray(0, 1), bytes.subarray(1)].map((half): Frame => ({
      stream: 'stdout',
      payload: Buffer.concat([Buffer.from(`${AT} `), half]),
    }));
    expect(read(frames)[0]?.text).toBe('đ');
  });

  test('the last line without a newline is kept, and so are empty lines', () => {
    expect(read([out('\n'), out('last')]).map((line) => line.text)).toEqual(['', 'last']);
  });

  test('a line without end comes in marked parts, none of it lost, no letter broken', () => {
    const text = 'x€'.repeat(200_000);
    const lines = read(pieces(Buffer.from(text)));
    expect(lines.length).toBeGreaterThan(2);
    expect(lines.slice(0, -1).every((line) => line.continues)).toBe(true);
    expect(Math.max(...lines.slice(0, -1).map((line) => Buffer.byteLength(line.text)))).toBeLessThanOrEqual(
      LINE_MAX_BYTES,
    );
    expect(lines.map((line) => line.text).join('')).toBe(text);
  });

  test('a part knows what stands before and after it', () => {
    const lines = read(pieces(Buffer.from(Array.from({ length: 100_000 }, (_, i) => `${i} `).join(''))));
    for (const [i, { around }] of lines.entries()) {
      const { before = '', after = '' } = around ?? {};
      expect((lines[i - 1]?.text ?? '').endsWith(before)).toBe(true);
      expect(before.length).toBe(i === 0 ? 0 : 4_096);
      expect((lines[i + 1]?.text ?? '').startsWith(after)).toBe(true);
      expect(after.length).toBe(i === lines.length - 1 ? 0 : 4_096);
    }
  });
});

test('a message is found in a frame without putting lines together', () => {
  expect(messageText(out('{"lading":"end"}\n'))).toBe('{"lading":"end"}');
  expect(messageText(out('x {"lading":"end"}\n'))).toBeUndefined();
  expect(messageText(out('x\n'))).toBeUndefined();
  expect(messageText(err('{"lading":"end"}\n'))).toBeUndefined();
});

test('a daemon timestamp becomes the seconds and nanoseconds that `since` takes', () => {
  expect(sinceOf('2026-01-02T03:04:05.123456789Z')).toBe('1767323045.123456789');
  expect(sinceOf('2026-01-02T03:04:05.5Z')).toBe('1767323045.500000000');
  expect(() => sinceOf('yesterday')).toThrow('not a daemon timestamp');
});
