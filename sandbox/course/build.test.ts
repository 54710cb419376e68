import { cp, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { buildCourse } from './build.ts';
import { buildAside, defaultCacheDir } from './course-dir.ts';
import { chosenFiles } from './handbook.ts';

let cacheDir: string;
beforeEach(async () => {
  cacheDir = await mkdtemp(join(tmpdir(), 'course-'));
});
afterEach(async () => await rm(cacheDir, { recursive: true, force: true }));

const build = async () => {
  const lines: string[] = [];
  const built = await buildCourse({ cacheDir, log: (line) => void lines.push(line), env: { PATH: '/nowhere' } });
  return { built, lines };
};

describe('where there is no apt', () => {
  test('the shipped course is taken, and says so', async () => {
    const { built, lines } = await build();
    expect(built).toMatchObject({ id: 'bill-of-lading', origin: 'shipped', licence: 'CC0-1.0' });
    expect([built.why, lines.join('\n')]).toEqual([expect.stringContaining('apt'), expect.stringContaining('shipped')]);
    expect(await readFile(join(built.dir, 'vi/4 Ai được nhận hàng.md'), 'utf8')).toContain('Vận đơn');
  });

  test('several builders at once end with one whole course and nothing left aside', async () => {
    const built = await Promise.all(Array.from({ length: 4 }, build));
    expect(new Set(built.map(({ built: { dir } }) => dir)).size).toBe(1);
    expect(await readdir(cacheDir)).toEqual(['bill-of-lading']);
    const shipped = await readdir(join(import.meta.dirname, 'small'), { recursive: true });
    expect((await readdir(join(cacheDir, 'bill-of-lading'), { recursive: true })).toSorted()).toEqual(
      shipped.toSorted(),
    );
  });
});

const fill = async (dir: string): Promise<void> => {
  await cp(import.meta.filename, join(dir, 'half.txt'));
  throw new Error('disk full');
};

test('a builder that fails leaves nothing behind', async () => {
  await expect(buildAside(cacheDir, 'x', fill)).rejects.toThrow('disk full');
  expect(await readdir(cacheDir)).toEqual([]);
});

test('pages, styles and pictures are taken, in order and not too many', () => {
  expect(chosenFiles(['b.png', 'a.html', 'Makefile', 'c.xpm', 'd.css'], 2)).toEqual(['a.html', 'b.png']);
});

test('the cache stands where the desktop convention says', () => {
  expect(defaultCacheDir('', '/home/x')).toBe('/home/x/.cache/lading/courses');
  expect(defaultCacheDir('/var/cache', '/home/x')).toBe('/var/cache/lading/courses');
});
