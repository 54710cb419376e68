import { randomUUID } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { mintStatusToken, openStatusToken } from './status-token.ts';

const KEY = Buffer.alloc(32, 7);
const BASE64URL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

describe('status token', () => {
  test('opens to the order it was made for', () => {
    const id = randomUUID();
    expect(openStatusToken(KEY, mintStatusToken(KEY, id))).toBe(id);
  });

  test('does not open with another key', () => {
    expect(openStatusToken(Buffer.alloc(32, 8), mintStatusToken(KEY, randomUUID()))).toBeUndefined();
  });

  test('opens in one spelling only, whichever character is changed', () => {
    const token = mintStatusToken(KEY, randomUUID());
    for (const [at, character] of token.split('').entries())
      for (const other of BASE64URL)
        if (other !== character)
          expect(openStatusToken(KEY, token.slice(0, at) + other + token.slice(at + 1))).toBeUndefined();
  });

  test.each(['', 'x', '..', 'A'.repeat(42), 'A'.repeat(43), 'A'.repeat(44), `${'A'.repeat(42)}=`, 'é'.repeat(43)])(
    'refuses %j',
    (token) => {
      expect(openStatusToken(KEY, token)).toBeUndefined();
    },
  );

  test('is not made for what is no uuid', () => {
    expect(() => mintStatusToken(KEY, 'order-1')).toThrow(RangeError);
  });
});
