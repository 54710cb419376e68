import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { makeMasker } from './masker.ts';

const secrets = fc.string({ minLength: 8, maxLength: 60 });
const base64 = (text: string): string => Buffer.from(text).toString('base64');

test('a secret is masked wherever it stands, as it is, in base64 and URL-encoded', () => {
  fc.assert(
    fc.property(secrets, fc.string(), fc.string(), (secret, before, after) => {
      const mask = makeMasker([secret]);
      for (const form of [secret, base64(secret), base64(secret).replace(/=+$/, ''), encodeURIComponent(secret)])
        expect(mask(`${before}${form}${after}`)).toContain('[masked]');
    }),
  );
});

test('a secret is masked in the other ways in which forms and JSON write it', () => {
  const secret = 'p/ss w(rd)!\'"+';
  const mask = makeMasker([secret]);
  const form = new URLSearchParams([['a', secret]]).toString();
  const json = JSON.stringify({ a: secret });
  const lower = encodeURIComponent(secret).replaceAll(/%../g, (code) => code.toLowerCase());
  for (const text of [form, json, json.replaceAll('/', '\\/'), lower]) {
    expect(mask(text)).toContain('[masked]');
    expect(mask(text)).not.toContain('rd');
  }
});

test('a secret is masked inside something that was encoded as a whole', () => {
  const token = fc.stringMatching(/^[\w+/=.-]{12,60}$/);
  fc.assert(
    fc.property(token, fc.string(), fc.string(), (secret, before, after) => {
      const masked = makeMasker([secret])(base64(`${before}${secret}${after}`));
      expect(masked).toContain('[masked]');
      const left = masked.split('[masked]').map((part) => Buffer.from(part, 'base64').toString('latin1'));
      for (const part of left)
        for (let i = 0; i + 6 <= secret.length; i += 1) {
          const piece = secret.slice(i, i + 6);
          if (!before.includes(piece) && !after.includes(piece)) expect(part).not.toContain(piece);
        }
    }),
  );
});

test('a secret across the border of two parts is masked in both', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[a-z]{8,40}$/), fc.nat(100), (secret, at) => {
      const mask = makeMasker([secret]);
      const border = 1 + (at % (secret.length - 1));
      const [head, tail] = [`1 2 3 ${secret.slice(0, border)}`, `${secret.slice(border)} 4 5 6`];
      expect(mask(head, { before: '', after: tail })).toBe('1 2 3 [masked]');
      expect(mask(tail, { before: head, after: '' })).toBe('[masked] 4 5 6');
    }),
  );
});

test('masking many lines in one go leaves every newline where it was', () => {
  const mask = makeMasker(['first-secret\nsecond-secret', 'Bearer']);
  const lines = ['a', 'x first-secret', 'second-secret y', 'Bearer', 'abcdefghijkl', ''];
  expect(mask(lines.join('\n'))).toBe('a\nx [masked]\n[masked] y\nBearer\nabcdefghijkl\n');
});

test('of two secrets, one inside the other, nothing of either stays', () => {
  const mask = makeMasker(['inner-secret', 'outer-inner-secret-tail']);
  expect(mask('see outer-inner-secret-tail')).toBe('see [masked]');
});

test('the shapes of our own tokens are masked even by one who never saw them', () => {
  const mask = makeMasker([]);
  expect(mask('Authorization: Bearer ya29.abcdef')).not.toContain('ya29');
  expect(mask('key whsec_c2VjcmV0c2VjcmV0c2VjcmV0')).toBe('key [masked]');
  for (const user of ['', 'u', 'us', 'usr'])
    expect(mask(`see ${base64(`${user}ya29.c.secretsecretsecret`)} end`)).toMatch(/^see .{0,4}\[masked\] end$/);
});

test('ordinary text stays as it is', () => {
  expect(makeMasker(['a-long-secret'])('1,234 files in 5 s')).toBe('1,234 files in 5 s');
});
