import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { pathProblem } from '../providers/path-rules.ts';
import { distinctNames, NAME_MAX_BYTES, nameFrom } from './file-name.ts';

describe('nameFrom', () => {
  test.each([
    ['Mở đầu / Cài đặt', 'Mở đầu - Cài đặt'],
    ['Mở đầu'.normalize('NFD'), 'Mở đầu'],
    ['  a \t\n b ', 'a b'],
    ['a\\b', 'a-b'],
    ['..', 'untitled'],
    ['', 'untitled'],
    ['\u202egnp.exe', 'gnp.exe'],
  ])('%j becomes %j', (title, name) => {
    expect(nameFrom(title)).toBe(name);
  });

  test('keeps the ending and cuts between letters, at the limit', () => {
    const fits = 'a'.repeat(NAME_MAX_BYTES - 4);
    expect([nameFrom(fits, '.mp4'), nameFrom(`${fits}b`, '.mp4')]).toEqual([`${fits}.mp4`, `${fits}.mp4`]);
    const long = nameFrom('Ộ'.repeat(200), '.mp4');
    expect([Buffer.byteLength(long), long.replaceAll('Ộ', '')]).toEqual([3 * 83 + 4, '.mp4']);
  });

  test('whatever the title, it is a part of a path that can be delivered', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 400 }), (title) => {
        expect(pathProblem(nameFrom(title, '.mp4'))).toBeUndefined();
      }),
    );
  });
});

test('distinctNames numbers what occurs again, also where only the case differs or the cut makes them one', () => {
  const long = 'x'.repeat(300);
  const names = distinctNames(['Bài', 'bài', 'Bài (2)', long, `${long}y`].map((title) => ({ title, ending: '.mp4' })));
  expect(names.slice(0, 3)).toEqual(['Bài.mp4', 'bài (2).mp4', 'Bài (2) (2).mp4']);
  expect(new Set(names).size).toBe(5);
  expect(names.every((name) => Buffer.byteLength(name) <= NAME_MAX_BYTES)).toBe(true);
});
