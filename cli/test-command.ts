/** The command line as its users run it: a process of its own, connected as one of the services' roles. */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ServiceRole } from '../sql/migrate.ts';
import type { TestDatabase } from '../test/database.ts';

export const MAIN = fileURLToPath(new URL('main.ts', import.meta.url));
export const TEST_OPERATOR = 'the operator of a test';

export type Answer = { code: number; stdout: string; stderr: string };
export type TestCommand = {
  run: (args: string[], role?: ServiceRole) => Promise<Answer>;
  /** What `--json` says; throws when the command does not end with 0. */
  json: (args: string[], role?: ServiceRole) => Promise<unknown>;
  /** A command that goes on; the caller ends it. */
  start: (args: string[], role?: ServiceRole) => ChildProcess;
  remove: () => void;
};

export function makeTestCommand(database: TestDatabase): TestCommand {
  const folder = mkdtempSync(join(tmpdir(), 'lading-cli-'));
  const envOf = (role: ServiceRole): NodeJS.ProcessEnv => {
    const urlFile = join(folder, role);
    writeFileSync(urlFile, `${database.urlFor(role)}\n`);
    return { DATABASE_URL_FILE: urlFile, LADING_OPERATOR: TEST_OPERATOR };
  };
  const run: TestCommand['run'] = (args, role = 'lading_auditor') =>
    new Promise((resolve) => {
      execFile(process.execPath, [MAIN, ...args], { env: envOf(role) }, (error, stdout, stderr) =>
        resolve({ code: error ? Number(error.code) : 0, stdout, stderr }),
      );
    });
  return {
    run,
    json: async (args, role) => {
      const { code, stdout, stderr } = await run([...args, '--json'], role);
      if (code !== 0 || stderr !== '') throw new Error(`${args.join(' ')} ended with ${code}: ${stderr}`);
      return JSON.parse(stdout);
    },
    start: (args, role = 'lading_auditor') =>
      spawn(process.execPath, [MAIN, ...args], { env: envOf(role), stdio: ['ignore', 'pipe', 'pipe'] }),
    remove: () => rmSync(folder, { recursive: true }),
  };
}
