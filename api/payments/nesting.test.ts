import { expect, test } from '@jest/globals';
import { isNestedTooDeep, NESTING_MAX } from './nesting.ts';

const nested = (depth: number): string => `${'['.repeat(depth)}${']'.repeat(depth)}`;

test.each([
  ['at the limit', nested(NESTING_MAX), false],
  ['one deeper', nested(NESTING_MAX + 1), true],
  ['many side by side', `[${nested(NESTING_MAX - 1)},${nested(NESTING_MAX - 1)}]`, false],
  ['brackets in a text', JSON.stringify(['{['.repeat(100)]), false],
  ['a text that ends in a quote and a backslash', `["\\"",${nested(NESTING_MAX)}]`, true],
  ['one that is never closed', '{'.repeat(NESTING_MAX + 1), true],
])('%s', (_, json, expected) => {
  expect(isNestedTooDeep(json)).toBe(expected);
});
