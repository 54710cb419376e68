import { randomInt } from 'node:crypto';

const PREFIX = 'LD';
/** Digits and capitals that are not mistaken for one another; without L, so that two codes never overlap. */
const ALPHABET = '23456789ABCDEFGHJKMNPQRSTWXYZ';
const SYMBOLS = 10;
/** Where an order code may stand in a text of capitals and digits. */
export const ORDER_CODE = new RegExp(`${PREFIX}[${ALPHABET}]{${SYMBOLS}}`, 'g');

/** What the customer writes into the transfer: 29^10 possibilities, so a stray hit in a bank's text is no worry. */
export const makeOrderCode = (): string =>
  PREFIX + Array.from({ length: SYMBOLS }, () => ALPHABET.charAt(randomInt(ALPHABET.length))).join('');
