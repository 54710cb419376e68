import { describe, expect, test } from '@jest/globals';
import { callerOf, makeAddressLimit } from './rate-limit.ts';

describe('callerOf', () => {
  test.each([
    ['203.0.113.7', '203.0.113.7'],
    ['::ffff:203.0.113.7', '203.0.113.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
    ['2001:db8:1:2::6', '2001:db8:1:2'],
    ['2001:db8::6', '2001:db8:0:0'],
    ['::1', '0:0:0:0'],
  ])('%s is counted as %s', (address, caller) => {
    expect(callerOf(address)).toBe(caller);
  });
});

test('the request after the last allowed one is told when to come back, others are not', async () => {
  const limit = makeAddressLimit({ requests: 2, perSeconds: 60 });
  await limit('203.0.113.7');
  await limit('203.0.113.7');
  await expect(limit('203.0.113.7')).rejects.toMatchObject({ code: 'rate_limited', headers: { 'Retry-After': '60' } });
  await expect(limit('203.0.113.8')).resolves.toBeUndefined();
});
