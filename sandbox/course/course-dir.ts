import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** Builders that died leave their folder; after this long nobody can still be at work in it. */
const ABANDONED_MS = 3_600_000;
const ASIDE = '.building-';

/** `$XDG_CACHE_HOME/lading/courses`, or below `~/.cache` where that is not set. */
export const defaultCacheDir = (xdgCacheHome: string | undefined, home: string): string =>
  join(xdgCacheHome === undefined || xdgCacheHome === '' ? join(home, '.cache') : xdgCacheHome, 'lading', 'courses');

export const isDirectory = async (path: string): Promise<boolean> =>
  (await stat(path).catch(() => undefined))?.isDirectory() ?? false;

async function sweep(cacheDir: string): Promise<void> {
  for (const name of await readdir(cacheDir)) {
    if (!name.startsWith(ASIDE)) continue;
    const path = join(cacheDir, name);
    const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Date.now() }));
    if (Date.now() - mtimeMs > ABANDONED_MS) await rm(path, { recursive: true, force: true });
  }
}

/**
 * Fills `cacheDir/id` in one step: `fill` works in a folder aside, which then takes the name. Of concurrent builders the
 * first wins and the others throw their work away. Rejects with what `fill` throws, leaving nothing behind.
 */
export async function buildAside(cacheDir: string, id: string, fill: (dir: string) => Promise<void>): Promise<string> {
  const dir = join(cacheDir, id);
  if (await isDirectory(dir)) return dir;
  await mkdir(cacheDir, { recursive: true });
  await sweep(cacheDir);
  const aside = join(cacheDir, `${ASIDE}${process.pid}-${randomBytes(4).toString('hex')}`);
  await mkdir(aside);
  try {
    await fill(aside);
    await rename(aside, dir);
  } catch (error) {
    const isTaken = ['ENOTEMPTY', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? '');
    if (!isTaken || !(await isDirectory(dir))) throw error;
  } finally {
    await rm(aside, { recursive: true, force: true });
  }
  return dir;
}
