import { expect, test } from '@jest/globals';
import { levelOf } from './log-level.ts';

test.each([
  ['{"level":30,"msg":"error"}', 'o', 'info'],
  ['{"level":50,"msg":"x"}', 'o', 'error'],
  ['{"level":60}', 'o', 'error'],
  ['{"level":40}', 'e', 'warn'],
  ['{"level":20}', 'o', 'debug'],
  ['{"lading":"progress","filesDone":1}', 'o', 'debug'],
  ['{"lading":"end","reason":"bug"}', 'o', 'error'],
  ['Error: ENOENT', 'o', 'error'],
  ['upload failed, trying again', 'o', 'error'],
  ['WARNING: slow', 'o', 'warn'],
  ['trace 1', 'e', 'debug'],
  ['12 files', 'o', 'info'],
  ['12 files', 'e', 'warn'],
  ['terrors of the deep.mp4', 'o', 'info'],
  [`${'x '.repeat(100)}error`, 'o', 'info'],
  ['', 'o', 'info'],
] as const)('%s on %s is %s', (l, s, level) => {
  expect(levelOf({ l, s })).toBe(level);
});
