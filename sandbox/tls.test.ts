import { X509Certificate } from 'node:crypto';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { ensureTls } from './tls.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tls-'));
});
afterEach(async () => await rm(dir, { recursive: true, force: true }));

test('calls at once and later agree on one authority and one certificate', async () => {
  const made = await Promise.all([ensureTls(dir), ensureTls(dir), ensureTls(dir)]);
  const again = await ensureTls(dir);
  expect(new Set([...made, again].map(({ ca, cert, key }) => ca + cert + key)).size).toBe(1);
  expect(await readFile(join(dir, 'cert.pem'), 'utf8')).toBe(again.cert);
  expect((await stat(join(dir, 'key.pem'))).mode & 0o777).toBe(0o600);
});

test('a further host name is added under the same authority, and the earlier ones stay', async () => {
  const before = await ensureTls(dir, ['provider']);
  const after = await ensureTls(dir, ['google', '10.0.0.7']);
  const cert = new X509Certificate(after.cert);
  expect(after.ca).toBe(before.ca);
  expect(cert.checkIssued(new X509Certificate(after.ca))).toBe(true);
  const names = ['localhost', 'www.googleapis.com', 'provider', 'google'].map((name) => cert.checkHost(name));
  expect([...names, cert.checkIP('127.0.0.1'), cert.checkIP('10.0.0.7')]).not.toContain(undefined);
});
