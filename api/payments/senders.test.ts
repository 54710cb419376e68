import { describe, expect, test } from '@jest/globals';
import { allowSenders } from './senders.ts';

describe('allowSenders', () => {
  test.each([
    ['172.236.138.20', true],
    ['::ffff:172.236.138.20', true],
    ['172.236.138.21', false],
    ['103.255.238.139', true],
    ['103.255.239.1', false],
    ['2400:8905::2000:8cff:fe98:45cd', true],
    ['2400:8905::1', false],
    ['', false],
    ['not an address', false],
  ])('%s: %s', (address, allowed) => {
    const check = allowSenders(['172.236.138.20', '103.255.238.0/24', '2400:8905::2000:8cff:fe98:45cd']);
    expect(check?.(address)).toBe(allowed);
  });

  test.each(['sepay.vn', '1.2.3', '1.2.3.4/33', '::/129', '1.2.3.4/', '1.2.3.4/8/8', '1.2.3.4/-1'])(
    'knows that %s is neither an address nor a network',
    (entry) => {
      expect(allowSenders(['192.0.2.1', entry])).toBeUndefined();
    },
  );
});
