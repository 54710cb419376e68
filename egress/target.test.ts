import { describe, expect, test } from '@jest/globals';
import { isAllowed, parseAllowed, parseTarget, type Target } from './target.ts';

describe('parseTarget', () => {
  test.each([
    ['www.googleapis.com:443', { host: 'www.googleapis.com', port: 443 }],
    ['WWW.GoogleAPIs.com', { host: 'www.googleapis.com', port: 443 }],
    ['minio:9000', { host: 'minio', port: 9_000 }],
    ['[2606:4700::1]:443', { host: '2606:4700::1', port: 443 }],
    ['[::FFFF:127.0.0.1]:443', { host: '::ffff:7f00:1', port: 443 }],
    ['127.1:443', { host: '127.0.0.1', port: 443 }],
    ['0x7f000001:443', { host: '127.0.0.1', port: 443 }],
    ['2130706433:443', { host: '127.0.0.1', port: 443 }],
    ['017700000001:443', { host: '127.0.0.1', port: 443 }],
  ])('%s is read', (text, target) => {
    expect(parseTarget(text)).toEqual(target);
  });

  test.each([
    '',
    ':443',
    'a:0',
    'a:65536',
    'a:443:443',
    'a:-1',
    'a:4e3',
    'a:443/path',
    '/v1/attempts',
    'http://a/',
    'user@a:443',
    'a b:443',
    'a:443\r\nx: y',
    '%6cocalhost:443',
    'a?x:443',
    'a#x:443',
    'a.example.org.:443',
    '256.256.256.256:443',
    `${'a'.repeat(300)}:443`,
    '[::1:443',
    '::1:443',
    'ｌocalhost:443',
    '*.example.org:443',
  ])('%j is not a target', (text) => {
    expect(parseTarget(text)).toBeUndefined();
  });
});

describe('isAllowed', () => {
  const list = ['www.googleapis.com:443', '*.googleusercontent.com', 'files.example.org:8443'].map(
    (text) => parseAllowed(text) as Target,
  );
  test.each([
    ['www.googleapis.com:443', true],
    ['www.googleapis.com:80', false],
    ['googleapis.com:443', false],
    ['www.googleapis.com.example.org:443', false],
    ['xwww.googleapis.com:443', false],
    ['a.googleusercontent.com:443', true],
    ['a.b.googleusercontent.com:443', true],
    ['googleusercontent.com:443', false],
    ['agoogleusercontent.com:443', false],
    ['a.googleusercontent.com:8443', false],
    ['files.example.org:8443', true],
    ['files.example.org', false],
  ])('%s: %s', (text, allowed) => {
    expect(isAllowed(list, parseTarget(text) as Target)).toBe(allowed);
  });

  test.each(['*', '*:443', '*.com:443', '**.example.org', 'a.*.org', '*.', 'a*.example.org'])(
    '%s is no entry of an allow-list',
    (text) => {
      expect(parseAllowed(text)).toBeUndefined();
    },
  );
});
