import { chmodSync, mkdtempSync, renameSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { watchFile, type Watched } from './watched-file.ts';
import { writeInPlace } from './write-in-place.ts';

const LOOK_EVERY_MS = 10;
const WAIT_LIMIT_MS = 5_000;
const FILE_MAX_BYTES = 64 * 1024;

let dir: string;
let path: string;
let watched: Watched<string>;
let failures: string[];
const parse = (text: string): string => {
  if (text.includes('bad')) throw new RangeError('bad');
  return text.trim();
};
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'lading-watch-'));
  path = join(dir, 'secret');
  writeFileSync(path, 'one');
  failures = [];
  const failed = (_path: string, error: unknown): void => void failures.push(String(error));
  watched = watchFile(path, parse, { changed: () => undefined, failed }, LOOK_EVERY_MS);
});
afterEach(() => {
  watched.stop();
  rmSync(dir, { recursive: true });
});
async function until(isThere: () => boolean): Promise<void> {
  for (const giveUpAt = Date.now() + WAIT_LIMIT_MS; !isThere(); await sleep(5))
    if (Date.now() > giveUpAt) throw new Error(`still ${watched.value()}; ${failures.join()}`);
}

test('what is written in place is seen, longer or shorter, and the file stays the same one', async () => {
  for (const text of ['a much longer secret than before', 'x', 'two\nlines']) {
    writeInPlace(path, text);
    await until(() => watched.value() === text);
  }
});

test('so is what is put in its place', async () => {
  writeFileSync(join(dir, 'next'), 'two');
  renameSync(join(dir, 'next'), path);
  await until(() => watched.value() === 'two');
  expect(Date.now() - watched.changedAt().getTime()).toBeLessThan(60_000);
});

test('what cannot be used leaves the value before it, and is told once', async () => {
  writeInPlace(path, 'bad');
  await until(() => failures.length > 0);
  await sleep(10 * LOOK_EVERY_MS);
  expect(failures).toEqual(['RangeError: bad']);
  expect(watched.value()).toBe('one');
  writeInPlace(path, 'good again');
  await until(() => watched.value() === 'good again');
});

test('a file that is gone leaves the value before it, and is seen when it comes back', async () => {
  unlinkSync(path);
  await until(() => failures.length > 0);
  expect(watched.value()).toBe('one');
  writeFileSync(path, 'back');
  chmodSync(path, 0o600);
  await until(() => watched.value() === 'back');
});

test('a file up to 64 KiB is read, and none that is larger', async () => {
  writeInPlace(path, 'x'.repeat(FILE_MAX_BYTES));
  await until(() => watched.value().length === FILE_MAX_BYTES);
  writeInPlace(path, 'y'.repeat(FILE_MAX_BYTES + 1));
  await until(() => failures.length > 0);
  expect(watched.value()).toMatch(/^x+$/);
});

test('a look is taken at once when it is asked for', () => {
  watched.stop();
  writeInPlace(path, 'asked for');
  watched.look();
  expect(watched.value()).toBe('asked for');
});
