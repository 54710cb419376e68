import { randomBytes } from 'node:crypto';
import { link, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

const asideOf = (path: string): string => `${path}.${process.pid}-${randomBytes(4).toString('hex')}`;

/** Puts `text` at `path` in one step: a reader sees the old file or the new one, never half. */
export async function replaceFile(path: string, text: string, mode: number): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const aside = asideOf(path);
  await writeFile(aside, text, { mode });
  await rename(aside, path);
}

/** The text at `path`, made by `make` if nothing is there. Of racing writers the first wins and all read its text. */
export async function writeOnce(path: string, mode: number, make: () => Promise<string>): Promise<string> {
  const before = await readIfThere(path);
  if (before !== undefined) return before;
  await mkdir(dirname(path), { recursive: true });
  const aside = asideOf(path);
  await writeFile(aside, await make(), { mode });
  try {
    await link(aside, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    await rm(aside, { force: true });
  }
  return await readFile(path, 'utf8');
}

export async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
