import { randomBytes } from 'node:crypto';
import { expect, test } from '@jest/globals';
import { keyIdOf, masterKeysOf, oneMasterKey, parseMasterKeys } from './master-keys.ts';
import { open, seal } from './sealed.ts';

const [first, second] = [randomBytes(32), randomBytes(32)];
const both = masterKeysOf(() => parseMasterKeys(`${second.toString('base64')}\n${first.toString('base64')}`));

test('what one master key sealed opens while it is accepted, and not after', () => {
  const sealed = seal(oneMasterKey(first), 'row', 'secret');
  expect(sealed.keyId).toBe(keyIdOf(first));
  expect(open(both, 'row', sealed)).toBe('secret');
  expect(open(oneMasterKey(second), 'row', sealed)).toBeUndefined();
  expect(seal(both, 'row', 'secret').keyId).toBe(keyIdOf(second));
});

test('a seal for one row is none for another, and a changed one is none at all', () => {
  const { sealed, keyId } = seal(both, 'row', 'secret');
  expect(open(both, 'other row', { sealed, keyId })).toBeUndefined();
  for (let at = 0; at < sealed.length; at += 1) {
    const changed = Buffer.from(sealed);
    changed[at] = (changed[at] ?? 0) ^ 1;
    expect(open(both, 'row', { sealed: changed, keyId })).toBeUndefined();
  }
  expect(open(both, 'row', { sealed: sealed.subarray(0, 28), keyId })).toBeUndefined();
  expect(sealed.includes('secret')).toBe(false);
});

test('two seals of one secret have nothing in common', () => {
  expect(seal(both, 'row', 'secret').sealed.equals(seal(both, 'row', 'secret').sealed)).toBe(false);
});

test.each(['', 'short', Buffer.alloc(31).toString('base64'), `${Buffer.alloc(32).toString('base64')}x`])(
  '%j is no master key',
  (text) => expect(() => parseMasterKeys(text)).toThrow(RangeError),
);

test('a master key that has ended leaves nothing to seal with', () => {
  const ended = masterKeysOf(() => parseMasterKeys(`${first.toString('base64')} until=2020-01-01T00:00:00Z`));
  expect(() => ended.current()).toThrow('ended');
  expect(ended.accepted()).toEqual([]);
});
