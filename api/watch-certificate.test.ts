import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { pino } from 'pino';
import { ConfigError } from '../config/environment.ts';
import { ensureTls, type TlsFiles } from '../sandbox/tls.ts';
import type { Certificate } from './server.ts';
import { watchCertificate, type WatchedCertificate } from './watch-certificate.ts';

const log = pino({ level: 'silent' });
let dirs: string[];
let first: TlsFiles;
let second: TlsFiles;
let files: { certFile: string; keyFile: string };
let watched: WatchedCertificate | undefined;
const taken: Certificate[] = [];
beforeAll(async () => {
  dirs = Array.from({ length: 3 }, () => mkdtempSync(join(tmpdir(), 'lading-cert-')));
  [first, second] = (await Promise.all(dirs.slice(0, 2).map((dir) => ensureTls(dir)))) as [TlsFiles, TlsFiles];
  files = { certFile: join(dirs[2] ?? '', 'cert.pem'), keyFile: join(dirs[2] ?? '', 'key.pem') };
});
afterAll(() => {
  for (const dir of dirs) rmSync(dir, { recursive: true });
});
const put = ({ cert, key }: Partial<TlsFiles>): void => {
  if (cert !== undefined) writeFileSync(files.certFile, cert);
  if (key !== undefined) writeFileSync(files.keyFile, key);
  watched?.look();
};
beforeEach(() => {
  put(first);
  taken.length = 0;
});
afterEach(() => {
  watched?.stop();
  watched = undefined;
});

test('a new pair is taken once both files have come, in either order', () => {
  watched = watchCertificate(files, log, 3_600_000);
  watched.onRenewed((pair) => taken.push(pair));
  expect(watched.value()).toEqual({ cert: first.cert, key: first.key });
  put({ cert: second.cert });
  expect([taken, watched.value().cert]).toEqual([[], first.cert]);
  put({ key: second.key });
  expect(taken).toEqual([{ cert: second.cert, key: second.key }]);
  put({ key: first.key });
  put({ cert: first.cert });
  expect(watched.value()).toEqual({ cert: first.cert, key: first.key });
});

test('what is no certificate leaves the pair before it', () => {
  watched = watchCertificate(files, log, 3_600_000);
  put({ cert: 'half a certif' });
  expect(watched.value().cert).toBe(first.cert);
});

test('a start with a wrong pair, or none, is refused', () => {
  put({ key: second.key });
  expect(() => watchCertificate(files, log)).toThrow(/is not the key/);
  put({ key: 'no key' });
  expect(() => watchCertificate(files, log)).toThrow(ConfigError);
  expect(() => watchCertificate({ ...files, certFile: '/nowhere' }, log)).toThrow(ConfigError);
});
