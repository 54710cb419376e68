import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { makeMasker } from './masker.ts';

test('a secret is masked wherever it stands, as it is, in base64 and URL-encoded', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 8, maxLength: 60 }), fc.string(), fc.string(), (secret, before, after) => {
      const mask = makeMasker([secret]);
      const base64 = Buffer.from(secret).toString('base64');
      for (const form of [secret, base64, encodeURIComponent(secret)])
        expect(mask(`${before}${form}${after}`)).toContain('[masked]');
    }),
  );
});

test('of two secrets, one inside the other, nothing of either stays', () => {
  const mask = makeMasker(['inner-secret', 'outer-inner-secret-tail']);
  expect(mask('see outer-inner-secret-tail')).toBe('see [masked]');
});

test('the shapes of our own tokens are masked even by one who never saw them', () => {
  const mask = makeMasker([]);
  expect(mask('Authorization: Bearer ya29.abcdef')).not.toContain('ya29');
  expect(mask('key whsec_c2VjcmV0c2VjcmV0c2VjcmV0')).toBe('key [masked]');
});

test('ordinary text stays as it is', () => {
  expect(makeMasker(['a-long-secret'])('1,234 files in 5 s')).toBe('1,234 files in 5 s');
});
