import { describe, expect, test } from '@jest/globals';
import { normaliseEmail } from './email.ts';

describe('normaliseEmail', () => {
  test.each([
    ['reader@mail.example', 'reader@mail.example'],
    ['  Reader.One+course@Mail.EXAMPLE ', 'Reader.One+course@mail.example'],
    ['a@b.xn--p1ai', 'a@b.xn--p1ai'],
    [`${'l'.repeat(64)}@mail.example`, `${'l'.repeat(64)}@mail.example`],
  ])('takes %j as %j', (given, stored) => {
    expect(normaliseEmail(given)).toBe(stored);
  });

  test.each([
    '',
    'reader',
    '@mail.example',
    'reader@',
    'reader@localhost',
    'a@b.1',
    'a@b.c',
    'a@192.0.2.7',
    'a@b.c1',
    'a@b.xn--',
    'reader@mail..example',
    'reader@-mail.example',
    'reader@[127.0.0.1]',
    '.reader@mail.example',
    'rea..der@mail.example',
    '"rea der"@mail.example',
    'rea der@mail.example',
    'reader@mail.example, other@mail.example',
    'reader@mail.example\r\nBcc: other@mail.example',
    'reader@mail.example\n',
    'reader\0@mail.example',
    'Reader <reader@mail.example>',
    'độc.giả@mail.example',
    'reader@thư.example',
    `${'l'.repeat(65)}@mail.example`,
    `reader@${'label-of-some-length.'.repeat(12)}example`,
  ])('refuses %j', (given) => {
    expect(normaliseEmail(given)).toBeUndefined();
  });
});
