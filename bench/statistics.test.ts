import { expect, test } from '@jest/globals';
import { spreadOf } from './statistics.ts';

test('quartiles lie between the nearest values, whatever the order', () => {
  expect(spreadOf([4, 1, 3, 2])).toEqual({ n: 4, min: 1, p25: 1.75, p50: 2.5, p75: 3.25, max: 4 });
  expect(spreadOf([7])).toEqual({ n: 1, min: 7, p25: 7, p50: 7, p75: 7, max: 7 });
});

test('of nothing there is no median', () => {
  expect(() => spreadOf([])).toThrow(RangeError);
});
