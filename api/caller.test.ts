import { describe, expect, test } from '@jest/globals';
import { callerOf, plainAddress } from './caller.ts';

describe('callerOf', () => {
  test.each([
    ['203.0.113.7', '203.0.113.7'],
    ['::ffff:203.0.113.7', '203.0.113.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
    ['2001:db8:1:2::6', '2001:db8:1:2'],
    ['2001:db8::6', '2001:db8:0:0'],
    ['::1', '0:0:0:0'],
    ['203.0.113.7:4711', '203.0.113.7'],
    ['[2001:db8:1:2::6]:443', '2001:db8:1:2'],
    ['[2001:db8:1:2::6]', '2001:db8:1:2'],
    ['[::ffff:203.0.113.7]:80', '203.0.113.7'],
  ])('%s is counted as %s', (address, caller) => {
    expect(callerOf(address)).toBe(caller);
  });
});

test.each(['', 'unknown', '203.0.113.7:', '203.0.113.7:123456', '[203.0.113.7', '2001:db8::6'])(
  '%j is left as it is',
  (told) => {
    expect(plainAddress(told)).toBe(told);
  },
);
