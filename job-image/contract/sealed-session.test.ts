import { randomBytes, randomUUID } from 'node:crypto';
import { expect, test } from '@jest/globals';
import { deriveResumeKey, openSession, sealSession, SESSION_URL_MAX_CHARS } from './sealed-session.ts';
import { SEALED_SESSION_MAX_BYTES } from './signed-call.ts';

const masterKey = randomBytes(32);
const job = randomUUID();
const key = deriveResumeKey(masterKey, job);
const session = {
  url: 'https://www.example/upload?upload_id=secret',
  parentId: 'p',
  sha256: 'a',
  bytes: 9,
  etag: '"x"',
};

test('every attempt of a job opens what another one sealed, and no other job does, nor for another file', () => {
  const sealed = sealSession(key, 'a/b.mp4', session);
  expect(openSession(deriveResumeKey(masterKey, job), 'a/b.mp4', sealed)).toEqual(session);
  expect(openSession(deriveResumeKey(masterKey, randomUUID()), 'a/b.mp4', sealed)).toBeUndefined();
  expect(openSession(key, 'a/c.mp4', sealed)).toBeUndefined();
  expect(openSession(key, 'a/b.mp4', sealed.subarray(1))).toBeUndefined();
  expect(openSession(key, 'a/b.mp4', Buffer.alloc(10))).toBeUndefined();
  expect(sealed.includes('secret')).toBe(false);
});

test('a seal of plain http opens as nothing', () => {
  expect(openSession(key, 'a', sealSession(key, 'a', { ...session, url: 'http://www.example/' }))).toBeUndefined();
});

test('the largest session fits into a call', () => {
  const url = 'https://www.example/'.padEnd(SESSION_URL_MAX_CHARS, 'x');
  const largest = { url, parentId: 'p'.repeat(256), sha256: 'a'.repeat(64), bytes: Number.MAX_SAFE_INTEGER };
  const sealed = sealSession(key, 'a', { ...largest, etag: 'é'.repeat(512) });
  expect(sealed.length).toBeLessThan(SEALED_SESSION_MAX_BYTES);
  expect(openSession(key, 'a', sealed)?.url).toBe(url);
});
