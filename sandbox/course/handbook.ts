/** The text of the demo's course: Debian's package debian-handbook, unpacked and not installed. */
import { cp, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CommandFailed, runCommand } from './run-command.ts';

const PACKAGE = 'debian-handbook';
const DOC_DIR = `usr/share/doc/${PACKAGE}`;
const LANGUAGES = ['en-US', 'vi-VN'];
const FILES_MAX = 700;
const DOWNLOAD_TIMEOUT_MS = 180_000;
const UPDATE_TIMEOUT_MS = 120_000;
const UPDATE_TRIES = 2;
const UPDATE_PAUSE_MS = 5_000;

type Env = NodeJS.ProcessEnv | undefined;
const withEnv = (env: Env) => (env === undefined ? {} : { env });

async function isKnown(name: string, env: Env): Promise<boolean> {
  const policy = await runCommand('apt-cache', ['policy', name], { ...withEnv(env), timeoutMs: DOWNLOAD_TIMEOUT_MS });
  return /Candidate: (?!\(none\))/.test(policy);
}

const update = async (env: Env): Promise<string> =>
  await runCommand('apt-get', ['update', '-q'], { ...withEnv(env), timeoutMs: UPDATE_TIMEOUT_MS });

/** Refreshes apt's lists until the package is known; another process may hold their lock, so a refusal is tried again. */
export async function makeKnown(name: string, env: Env): Promise<void> {
  for (let tries = 1; !(await isKnown(name, env)); tries += 1) {
    try {
      await update(env);
      if (!(await isKnown(name, env))) throw new CommandFailed(`apt does not know ${name}`);
    } catch (error) {
      if (tries >= UPDATE_TRIES) throw error;
      await sleep(UPDATE_PAUSE_MS);
    }
  }
}

/** Downloads into `cwd`. Lists that have aged may name a version that is gone, so they are refreshed once. */
async function download(name: string, cwd: string, env: Env): Promise<void> {
  const once = async (): Promise<string> =>
    await runCommand('apt-get', ['download', '-q', name], { cwd, ...withEnv(env), timeoutMs: DOWNLOAD_TIMEOUT_MS });
  try {
    await once();
  } catch {
    await update(env);
    await once();
  }
}

/** Which files are taken: pages, styles and pictures, in order and no more than `max`. */
export const chosenFiles = (paths: readonly string[], max = FILES_MAX): string[] =>
  paths
    .filter((path) => /\.(html|css|png|svg|gif|jpg)$/.test(path))
    .toSorted()
    .slice(0, max);

/** Puts the handbook's pages, pictures and copyright file into `dir`. Throws CommandFailed where apt cannot give it. */
export async function addHandbook(dir: string, env: Env): Promise<void> {
  await makeKnown(PACKAGE, env);
  const work = await mkdtemp(join(dir, '.deb-'));
  try {
    await download(PACKAGE, work, env);
    const archive = (await readdir(work)).find((name) => name.endsWith('.deb'));
    if (archive === undefined) throw new CommandFailed('apt-get download left no package');
    await runCommand('dpkg-deb', ['-x', archive, 'unpacked'], {
      cwd: work,
      ...withEnv(env),
      timeoutMs: DOWNLOAD_TIMEOUT_MS,
    });
    const html = join(work, 'unpacked', DOC_DIR, 'html');
    const there = new Set(await readdir(html));
    const found: string[] = [];
    for (const language of LANGUAGES.filter((each) => there.has(each))) {
      const entries = await readdir(join(html, language), { recursive: true, withFileTypes: true });
      found.push(
        ...entries
          .filter((each) => each.isFile())
          .map((each) => join(each.parentPath, each.name).slice(html.length + 1)),
      );
    }
    for (const path of chosenFiles(found)) {
      await mkdir(join(dir, path, '..'), { recursive: true });
      await cp(join(html, path), join(dir, path));
    }
    await cp(join(work, 'unpacked', DOC_DIR, 'copyright'), join(dir, 'copyright'));
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
