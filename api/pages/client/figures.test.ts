import { expect, test } from '@jest/globals';
import { bytesText, clockText, spanText, vndText } from './figures.ts';

test.each([
  [0, '0 B', '0 B'],
  [999, '999 B', '999 B'],
  [999.6, '1,0 KB', '1.0 KB'],
  [1_000, '1,0 KB', '1.0 KB'],
  [1_449_000_000, '1,4 GB', '1.4 GB'],
  [123_456_789, '123 MB', '123 MB'],
  [999_600_000, '1,0 GB', '1.0 GB'],
  [5e15, '5.000 TB', '5,000 TB'],
  [-1, '0 B', '0 B'],
])('%d bytes are %s, and %s', (bytes, vi, en) => {
  expect([bytesText('vi', bytes), bytesText('en', bytes)]).toEqual([vi, en]);
});

test.each([
  [0, 'dưới 1 phút', 'less than a minute'],
  [59, 'dưới 1 phút', 'less than a minute'],
  [60, '1 phút', '1 min'],
  [61, '2 phút', '2 min'],
  [3_600, '1 giờ', '1 h'],
  [4_750, '1 giờ 20 phút', '1 h 20 min'],
])('%d seconds are %s, and %s', (seconds, vi, en) => {
  expect([spanText('vi', seconds), spanText('en', seconds)]).toEqual([vi, en]);
});

test.each([
  [-1, '00:00'],
  [7.9, '00:07'],
  [3_547, '59:07'],
  [3_750, '1:02:30'],
])('a clock with %d seconds shows %s', (seconds, shown) => {
  expect(clockText(seconds)).toBe(shown);
});

test('an amount is in dong', () => {
  expect([vndText('vi', 499_000), vndText('en', 1_499_000)]).toEqual(['499.000 ₫', '1,499,000 ₫']);
});
