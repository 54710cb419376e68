import { expect, test } from '@jest/globals';
import { parseRetryAfter } from './retry-after.ts';

test.each([
  ['7', 7],
  ['Thu, 01 Jan 1970 00:01:00 GMT', 60],
  ['Thu, 01 Jan 1969 00:00:00 GMT', 0],
  ['999999999', 86_400],
  ['soon', undefined],
  ['', undefined],
  [undefined, undefined],
])('Retry-After %j is %s s', (header, seconds) => {
  expect(parseRetryAfter(header, 0)).toBe(seconds);
});
