import { randomInt } from 'node:crypto';

const PREFIX = 'LD';
/** Digits and capitals that are not mistaken for one another; without L, so that two codes never overlap. */
const ALPHABET = '23456789ABCDEFGHJKMNPQRSTWXYZ';
const SYMBOLS = 10;
/** Where an order code may stand in a text of capitals and digits. */
export const ORDER_CODE = new RegExp(`${PREFIX}[${ALPHABET}]{${SYMBOLS}}`, 'g');

/** Each weight is invertible modulo 29, a prime, and no two are the same. */
const weightAt = (position: number): number => position + 2;

function checkSymbol(symbols: string): string {
  const sum = symbols.split('').reduce((total, symbol, at) => total + ALPHABET.indexOf(symbol) * weightAt(at), 0);
  return ALPHABET.charAt(sum % ALPHABET.length);
}

/**
 * What the customer writes into the transfer: 29^9 possibilities, so a stray hit in a bank's text is no worry. The last
 * symbol checks the others: one wrong symbol, or two that changed places, never make the code of another order.
 */
export function makeOrderCode(): string {
  const symbols = Array.from({ length: SYMBOLS - 1 }, () => ALPHABET.charAt(randomInt(ALPHABET.length))).join('');
  return PREFIX + symbols + checkSymbol(symbols);
}
