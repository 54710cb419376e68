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

const SYMBOLS = '23456789ABCDEFGHJKMNPQRSTWXYZ';
const check = (code: string): number => {
  const values = code
    .slice(2)
    .split('')
    .map((symbol) => SYMBOLS.indexOf(symbol));
  const sum = values.slice(0, -1).reduce((total, value, at) => total + value * (at + 2), 0);
  return (sum - (values.at(-1) ?? 0)) % 29;
};

test('one wrong symbol, or two neighbours that changed places, are no code of ours', () => {
  for (let round = 0; round < 100; round += 1) {
    const code = makeOrderCode();
    expect(check(code)).toBe(0);
    for (let at = 2; at < code.length; at += 1)
      for (const symbol of SYMBOLS)
        if (symbol !== code[at]) expect(check(code.slice(0, at) + symbol + code.slice(at + 1))).not.toBe(0);
    for (let at = 2; at < code.length - 2; at += 1)
      if (code[at] !== code[at + 1])
        expect(check(code.slice(0, at) + code[at + 1] + code[at] + code.slice(at + 2))).not.toBe(0);
  }
});
