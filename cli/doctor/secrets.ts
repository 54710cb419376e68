import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fail, ok, reasonOf, warn, type Finding } from './finding.ts';

const DAY_MS = 86_400_000;
const AGE_WARN_DAYS = 365;
const FILES_MAX = 200;

/** What of one file is wrong: a folder that others may not enter guards files that others could read. */
export function fileFinding(name: string, mode: number, ageDays: number, guarded: boolean): Finding {
  const check = `secret ${name}`;
  const shown = `mode ${(mode & 0o777).toString(8).padStart(4, '0')}, ${Math.floor(ageDays)} days old`;
  if ((mode & 0o077) !== 0 && !guarded) return fail(check, shown, `chmod 600 ${name}`);
  if (ageDays > AGE_WARN_DAYS) return warn(check, shown, 'replace it; the runbook says how');
  return ok(check, shown);
}

/** Modes and ages, never contents. */
export function checkSecrets(dir: string, nowMs = Date.now()): Finding[] {
  try {
    const folder = statSync(dir);
    const guarded = (folder.mode & 0o077) === 0;
    const files = readdirSync(dir, { withFileTypes: true }).filter((one) => one.isFile() && !one.name.startsWith('.'));
    const shown = `${files.length} files in ${dir}`;
    return [
      guarded
        ? ok('secrets folder', shown)
        : warn('secrets folder', `${shown}; others may look into it`, `chmod 700 ${dir}`),
      ...files.slice(0, FILES_MAX).map(({ name }) => {
        const { mode, mtimeMs } = statSync(join(dir, name));
        return fileFinding(name, mode, (nowMs - mtimeMs) / DAY_MS, guarded);
      }),
    ];
  } catch (error) {
    return [warn('secrets folder', reasonOf(error), `LADING_SECRETS_DIR names it; script/secrets ${dir} makes it`)];
  }
}
