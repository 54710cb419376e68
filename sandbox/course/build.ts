/** The demo's course: Debian's handbook with three videos, or the small course shipped here where apt cannot give them. */
import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { buildAside, isDirectory } from './course-dir.ts';
import { addHandbook } from './handbook.ts';
import { CommandFailed } from './run-command.ts';
import { addVideos } from './videos.ts';

const aboutSchema = z.object({ id: z.string(), title: z.string(), licence: z.string() });
export type BuiltCourse = z.infer<typeof aboutSchema> & {
  /** `cacheDir/id`; the provider is given `cacheDir`. */
  dir: string;
  origin: 'debian' | 'shipped';
  /** Why it is not Debian's. */
  why?: string;
};
export type BuildOptions = {
  cacheDir: string;
  log: (line: string) => void;
  /** Environment of apt and ffmpeg; absent: this process's own. */
  env?: NodeJS.ProcessEnv;
};

const DEBIAN = {
  id: 'debian-handbook',
  title: 'The Debian Administrator’s Handbook',
  licence: 'GPL-2.0-or-later OR CC-BY-SA-3.0',
};
const SHIPPED_DIR = join(import.meta.dirname, 'small');
/** Read by the provider for the title, left out of the course. */
const ABOUT_FILE = '.course.json';

async function buildDebian({ cacheDir, log, env }: BuildOptions): Promise<BuiltCourse> {
  const dir = await buildAside(cacheDir, DEBIAN.id, async (aside) => {
    log('course: fetching the package debian-handbook');
    await addHandbook(aside, env);
    log('course: making three videos');
    await addVideos(aside, env);
    await writeFile(join(aside, ABOUT_FILE), JSON.stringify(DEBIAN));
  });
  return { ...DEBIAN, dir, origin: 'debian' };
}

async function copyShipped(cacheDir: string, why: string): Promise<BuiltCourse> {
  const about = aboutSchema.parse(JSON.parse(await readFile(join(SHIPPED_DIR, ABOUT_FILE), 'utf8')));
  const dir = await buildAside(cacheDir, about.id, (aside) => cp(SHIPPED_DIR, aside, { recursive: true }));
  return { ...about, dir, origin: 'shipped', why };
}

/** Builds what is missing and answers at once what is there. Safe to run several times at once. */
export async function buildCourse(options: BuildOptions): Promise<BuiltCourse> {
  const { cacheDir, log } = options;
  const there = join(cacheDir, DEBIAN.id);
  if (await isDirectory(there)) return { ...DEBIAN, dir: there, origin: 'debian' };
  try {
    return await buildDebian(options);
  } catch (error) {
    if (!(error instanceof CommandFailed)) throw error;
    log(`course: taking the small one that is shipped with Lading (${error.message})`);
    return await copyShipped(cacheDir, error.message);
  }
}
