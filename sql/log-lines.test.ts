import { zstdCompressSync } from 'node:zlib';
import { expect, test } from '@jest/globals';
import { formatLine, linesOf } from './log-lines.ts';

const LINES = [
  { n: 1, t: '2026-01-01T00:00:00.000000001Z', s: 'o', l: 'one \u001b[31mred' },
  { n: 2, t: '2026-01-01T00:00:00.000000002Z', s: 'e', l: 'half', c: 1 },
  { n: 3, t: '2026-01-01T00:00:00.000000003Z', s: 'e', l: ' a line' },
];
const chunk = zstdCompressSync(LINES.map((line) => `${JSON.stringify(line)}\n`).join(''));

test('a stored chunk is read line by line', () => {
  expect(linesOf(chunk)).toEqual(LINES);
});

test('a reader sees times, streams and no control characters', () => {
  expect(
    linesOf(chunk)
      .map((line) => formatLine(line, false))
      .join(''),
  ).toBe(
    '2026-01-01T00:00:00.000000001Z out one \\u001b[31mred\n' +
      '2026-01-01T00:00:00.000000002Z err half\n' +
      '2026-01-01T00:00:00.000000003Z err  a line\n',
  );
});

test('a reader is told where lines are lost', () => {
  const after = { n: 9, t: '2026-01-01T00:00:09Z', s: 'o', l: 'after', g: 1 } as const;
  expect(formatLine(after, false)).toBe(
    '2026-01-01T00:00:09Z --- lines before this one are lost\n2026-01-01T00:00:09Z out after\n',
  );
  expect(formatLine(after, true)).toBe('after\n');
});

test('raw is what the job wrote', () => {
  expect(
    linesOf(chunk)
      .map((line) => formatLine(line, true))
      .join(''),
  ).toBe('one \u001b[31mred\nhalf a line\n');
});

test('a chunk that grows without end is refused', () => {
  expect(() => linesOf(zstdCompressSync(Buffer.alloc(65 * 1024 * 1024)))).toThrow(/larger than/);
});
