/** The command line as its users run it: a process of its own, with a key of the API and the URL of a database's role. */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createKey, KEY_ROLES, type KeyRole } from '../sql/api-keys.ts';
import type { ServiceRole } from '../sql/migrate.ts';
import type { TestDatabase } from '../test/database.ts';

export const MAIN = fileURLToPath(new URL('main.ts', import.meta.url));
export const TEST_OPERATOR = 'the operator of a test';

export type Answer = { code: number; stdout: string; stderr: string };
/** Whose key, and whose database. */
type As = { key?: KeyRole; role?: ServiceRole; env?: Record<string, string> };
export type TestCommand = {
  folder: string;
  run: (args: string[], as?: As) => Promise<Answer>;
  /** What `--json` says; throws when the command does not end with 0. */
  json: (args: string[], as?: As) => Promise<unknown>;
  /** A command that goes on; the caller ends it. */
  start: (args: string[], as?: As) => ChildProcess;
  remove: () => void;
};

export function run(args: string[], env: NodeJS.ProcessEnv): Promise<Answer> {
  return new Promise((resolve) => {
    execFile(process.execPath, [MAIN, ...args], { env }, (error, stdout, stderr) =>
      resolve({ code: error ? Number(error.code) : 0, stdout, stderr }),
    );
  });
}

/** Keys are made for the API at `url`, where there is one. */
export async function makeTestCommand(database: TestDatabase, url?: string): Promise<TestCommand> {
  const folder = mkdtempSync(join(tmpdir(), 'lading-cli-'));
  const write = (name: string, text: string): string => {
    const path = join(folder, name);
    writeFileSync(path, `${text}\n`, { mode: 0o600 });
    return path;
  };
  const keyFiles = new Map<KeyRole, string>();
  if (url !== undefined)
    for (const role of KEY_ROLES) {
      const { key } = await createKey(database.poolFor('lading_owner'), {
        name: `${TEST_OPERATOR}, ${role}`,
        role,
        createdBy: 'a test',
        days: 1,
      });
      keyFiles.set(role, write(`key of ${role}`, key));
    }
  const envOf = ({ key = 'operator', role, env }: As): NodeJS.ProcessEnv => ({
    LADING_OPERATOR: TEST_OPERATOR,
    ...(url !== undefined && { LADING_URL: url, LADING_KEY_FILE: keyFiles.get(key) }),
    ...(role !== undefined && { DATABASE_URL_FILE: write(role, database.urlFor(role)) }),
    ...env,
  });
  return {
    folder,
    run: (args, as = {}) => run(args, envOf(as)),
    json: async (args, as = {}) => {
      const { code, stdout, stderr } = await run([...args, '--json'], envOf(as));
      if (code !== 0 || stderr !== '') throw new Error(`${args.join(' ')} ended with ${code}: ${stderr}`);
      return JSON.parse(stdout);
    },
    start: (args, as = {}) =>
      spawn(process.execPath, [MAIN, ...args], { env: envOf(as), stdio: ['ignore', 'pipe', 'pipe'] }),
    remove: () => rmSync(folder, { recursive: true }),
  };
}
