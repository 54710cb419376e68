import { expect, test } from '@jest/globals';
import { makeOrderCode, ORDER_CODE } from './order-code.ts';

test('a code is what the database takes, is found again, and is not repeated', () => {
  const codes = Array.from({ length: 2_000 }, makeOrderCode);
  for (const code of codes) {
    expect(code).toMatch(/^LD[2-9A-HJKMNP-TW-Z]{10}$/);
    expect(code.match(ORDER_CODE)).toEqual([code]);
  }
  expect(new Set(codes).size).toBe(codes.length);
});

test('all 29 symbols are used', () => {
  const symbols = new Set(Array.from({ length: 500 }, makeOrderCode).flatMap((code) => code.slice(2).split('')));
  expect([...symbols].toSorted().join('')).toBe('23456789ABCDEFGHJKMNPQRSTWXYZ');
});
