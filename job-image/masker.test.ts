import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { makeMasker } from './masker.ts';

const secret = fc
  .string({ minLength: 12, maxLength: 60, unit: 'grapheme-ascii' })
  .filter((text) => text.trim().length >= 12);
const around = fc.string({ maxLength: 30, unit: 'binary' });

test.each([
  ['as it is', (text: string) => text],
  ['in JSON', (text: string) => JSON.stringify({ text })],
  ['URL-encoded', encodeURIComponent],
  ['in a form', (text: string) => new URLSearchParams({ a: text }).toString()],
  ['in hexadecimal', (text: string) => Buffer.from(text).toString('hex')],
  ['in base64', (text: string) => Buffer.from(text).toString('base64')],
  ['in base64url', (text: string) => Buffer.from(text).toString('base64url')],
])('a secret is not found %s', (_title, form) => {
  fc.assert(
    fc.property(secret, around, around, (value, before, after) => {
      fc.pre(form(value) !== '' && !before.includes(form(value)));
      const masked = makeMasker([value])(`${before}${form(value)}${after}`);
      expect(masked).not.toContain(form(value));
      expect(masked).toContain('[masked]');
    }),
  );
});

test('a secret inside a longer text in base64 cannot be read back', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 9 }), fc.string({ maxLength: 9 }), (before, after) => {
      const value = 'ya29.a-secret-of-some-length';
      const encoded = Buffer.from(`${before}${value}${after}`).toString('base64');
      const masked = makeMasker([value])(encoded);
      expect(masked).toContain('[masked]');
      expect(Buffer.from(masked.replace('[masked]', ''), 'base64').toString()).not.toContain(value.slice(4, -4));
    }),
  );
});

test('the longer of two secrets goes first, and text without secrets stays', () => {
  const mask = makeMasker(['token', 'token-and-more', 'a.c+d', 'ab']);
  expect(mask('token-and-more; token; a.c+d; abcd; about')).toBe('[masked]; [masked]; [masked]; abcd; about');
});
