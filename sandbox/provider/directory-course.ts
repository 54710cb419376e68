import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { readIfThere } from '../write-once.ts';
import { contentTypeOf, type Course, type CourseFile } from './course.ts';
import type { HashCache } from './hash-cache.ts';

const FILES_MAX = 10_000;
const DEPTH_MAX = 20;
const READ_BYTES = 512 * 1024;
const COURSE_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;
const ABOUT_FILE = '.course.json';
const aboutSchema = z.object({ title: z.string() });

/** Paths of plain files below `dir`; links and names that begin with a dot are left out. */
async function walk(dir: string, below = '', depth = 0): Promise<string[]> {
  if (depth > DEPTH_MAX) throw new RangeError(`more than ${DEPTH_MAX} folders deep: ${below}`);
  const found: string[] = [];
  for (const entry of await readdir(join(dir, below), { withFileTypes: true })) {
    if (entry.name.startsWith('.')) continue;
    const path = below === '' ? entry.name : `${below}/${entry.name}`;
    if (entry.isDirectory()) found.push(...(await walk(dir, path, depth + 1)));
    else if (entry.isFile()) found.push(path);
    if (found.length > FILES_MAX) throw new RangeError(`more than ${FILES_MAX} files in ${dir}`);
  }
  return found;
}

async function titleOf(dir: string, id: string): Promise<string> {
  const text = await readIfThere(join(dir, ABOUT_FILE));
  return text === undefined ? id : aboutSchema.parse(JSON.parse(text)).title;
}

/** The course in `coursesDir/id` as it is now; undefined where there is none. */
export async function readDirectoryCourse(
  coursesDir: string,
  id: string,
  hashes: HashCache,
): Promise<Course | undefined> {
  if (!COURSE_ID.test(id)) return undefined;
  const dir = join(coursesDir, id);
  const there = await stat(dir).catch(() => undefined);
  if (!there?.isDirectory()) return undefined;
  const files: CourseFile[] = [];
  for (const relative of await walk(dir)) {
    const path = join(dir, relative);
    const { size: bytes, mtimeMs } = await stat(path);
    files.push({
      path: relative.normalize('NFC'),
      bytes,
      sha256: await hashes.sha256Of({ path, bytes, mtimeMs }),
      contentType: contentTypeOf(relative),
      open: (start, end) => createReadStream(path, { start, end, highWaterMark: READ_BYTES }),
    });
  }
  await hashes.save();
  return { id, title: await titleOf(dir, id), protection: 'none', files };
}
