import { posix } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { clashingPath, pathProblem } from './path-rules.ts';

describe('pathProblem', () => {
  test.each(['a', 'a/b.txt', 'bài 1/ghi chú.bin', '...', 'a..b', '.hidden', 'a/.b', 'x'.repeat(255), '日本/語'])(
    '%j is fine',
    (path) => {
      expect(pathProblem(path)).toBeUndefined();
    },
  );

  test.each([
    '',
    '/',
    '/a',
    'a/',
    'a//b',
    '.',
    '..',
    './a',
    'a/./b',
    'a/..',
    '../a',
    'a/../../b',
    'a\\b',
    'a\0b',
    'a\nb',
    'a\u007fb',
    'a\u0085b',
    'a\u202etxt.exe',
    'a\u2028b',
    ' a',
    'a /b',
    'a/ b',
    'cafe\u0301',
    'a\ud800',
    'x'.repeat(256),
    `${'x'.repeat(200)}/`.repeat(6),
  ])('%j is not', (path) => {
    expect(pathProblem(path)).toEqual(expect.any(String));
  });

  test('whatever passes stays below the folder it is put in', () => {
    const piece = fc.oneof(fc.constantFrom('.', '..', '/', '//', '\\', 'a', ' ', '\0'), fc.string({ maxLength: 3 }));
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
        const path = pieces.join('');
        fc.pre(pathProblem(path) === undefined);
        expect(posix.resolve('/root', path)).toBe(`/root/${path}`);
      }),
      { numRuns: 2_000 },
    );
  });
});

test.each([
  [['a', 'b', 'a/b'], 'a/b'],
  [['a', 'a'], 'a'],
  [['x/y/z', 'x'], 'x/y/z'],
  [['a', 'ab', 'b/a', 'b/b'], undefined],
])('of %j, %s stands in the way', (paths, clash) => {
  expect(clashingPath(paths)).toBe(clash);
});
