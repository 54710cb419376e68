import { describe, expect, test } from '@jest/globals';
import { visible } from '../sql/log-lines.ts';
import { cell, fields, table } from './print.ts';

describe('text from outside', () => {
  test.each([
    ['\u001b[2Jgone', '\\u001b[2Jgone'],
    ['two\r\nlines', 'two\\u000d\\u000alines'],
    ['a\tb', 'a b'],
    ['right\u202eleft', 'right\\u202eleft'],
    ['\u009b31m', '\\u009b31m'],
    ['Mở đầu 😀', 'Mở đầu 😀'],
  ])('%j is shown as %j', (text, shown) => {
    expect(visible(text)).toBe(shown);
  });
});

test('a cell is short, and shows nothing as a dash', () => {
  expect([cell(null), cell(0), cell({ a: 1 }), cell(new Date(0))]).toEqual([
    '-',
    '0',
    '{"a":1}',
    '1970-01-01T00:00:00.000Z',
  ]);
  expect(cell('x'.repeat(500))).toHaveLength(80);
});

test('tables and fields are aligned', () => {
  expect(table([{ a_b: 'x', c: 1, d: 'unseen' }], ['a_b', 'c'])).toBe('a b  c\nx    1\n');
  expect(table<{ a: string }>([], ['a'])).toBe('(none)\n');
  expect(fields({ id: 1, dead_reason: null })).toBe('id           1\ndead reason  -\n');
});
