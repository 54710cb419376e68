/** A whole Lading for one test file, with the sandbox's special courses in its catalogue. */
import { execFile, execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeCustomer, type Customer } from '../../sandbox/customer.ts';
import { startSystem, type System, type SystemOptions } from '../../sandbox/system.ts';
import { createKey, type KeyRole } from '../../sql/api-keys.ts';
import { putCourse } from '../../sql/courses.ts';
import { makePool, type Pool } from '../../sql/pool.ts';

export const DOCKER_HOST = process.env['DOCKER_HOST'] ?? 'unix:///var/run/docker.sock';

const CLI = fileURLToPath(new URL('../../cli/main.ts', import.meta.url));

export type E2e = {
  system: System;
  customer: Customer;
  /** As lading_owner: tests look at everything. */
  pool: Pool;
  installation: string;
  putCourse: (id: string, profile?: string) => Promise<void>;
  /** The command line over the API with a key of this role, as text. Rejects when it does not end with 0. */
  lading: (role: KeyRole, ...args: string[]) => Promise<string>;
  stop: () => Promise<void>;
};

export async function startE2e(options: Partial<SystemOptions> = {}): Promise<E2e> {
  const jobImage = options.jobImage ?? process.env['LADING_TEST_JOB_IMAGE'];
  if (!jobImage) throw new Error('run this file with ./script/test FILE');
  // Found by the run's name when something stays behind; its own, since each file has a database of its own.
  const run = process.env['LADING_INSTALLATION'] ?? 'test';
  const installation = `${run}-${randomBytes(4).toString('hex')}`;
  const system = await startSystem({
    installation,
    jobImage,
    dockerHost: DOCKER_HOST,
    databaseUrl: process.env['DATABASE_URL'],
    retryBaseMs: 200,
    ...options,
  });
  const pool = makePool({
    connectionString: system.databaseUrl('lading_owner'),
    applicationName: 'e2e',
    max: 4,
    onError: () => undefined,
  });
  return {
    system,
    pool,
    installation,
    customer: makeCustomer(system),
    putCourse: (id, profile = 'standard') =>
      putCourse(
        pool,
        {
          id,
          title: `Course ${id}`,
          price_vnd: 499_000,
          provider: 'manifest',
          source: {
            manifestUrl: `${system.providerUrl}/courses/${id}/manifest.json`,
            enrolUrl: `${system.providerUrl}/courses/${id}/enrolments`,
            bearer: 'sandbox',
          },
          profile,
        },
        { kind: 'own', evidence: 'https://lading.example/rights', recordedBy: 'test' },
      ),
    lading: async (role, ...args) => {
      const keyFile = join(system.runDir, 'secrets', `key of ${role}`);
      if (!existsSync(keyFile)) {
        const { key } = await createKey(pool, { name: `a test's ${role}`, role, createdBy: 'a test', days: 1 });
        writeFileSync(keyFile, key, { mode: 0o600 });
      }
      const env = { PATH: process.env['PATH'], LADING_URL: system.apiUrl, LADING_KEY_FILE: keyFile };
      return (await promisify(execFile)(process.execPath, [CLI, ...args], { env })).stdout;
    },
    stop: async () => {
      await pool.end();
      await system.stop();
    },
  };
}

const LOOK_EVERY_MS = 50;

/** Looks until `look` answers something; throws with `what` and the last state seen at the limit. */
export async function eventually<T>(
  what: string,
  limitMs: number,
  look: () => Promise<T | undefined>,
  state: () => unknown = () => '',
): Promise<T> {
  const giveUpAt = Date.now() + limitMs;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (Date.now() > giveUpAt)
      throw new Error(`${what}: not within ${limitMs} ms; last seen ${JSON.stringify(await state())}`);
    await sleep(LOOK_EVERY_MS);
  }
}

export type AttemptSeen = {
  id: string;
  job_id: string;
  n: number;
  state: string;
  outcome: string | null;
  detail: string | null;
  exit_code: number | null;
  container_id: string | null;
  lease_holder: string;
  lease_epoch: number;
};

export async function attemptsOf(pool: Pool, orderCode: string): Promise<AttemptSeen[]> {
  const { rows } = await pool.query<AttemptSeen>(
    `SELECT a.id, a.job_id, a.n, a.state, a.outcome, a.detail, a.exit_code, a.container_id, a.lease_holder, a.lease_epoch
     FROM attempts a JOIN jobs j ON j.id = a.job_id JOIN orders o ON o.id = j.order_id WHERE o.code = $1::text ORDER BY a.n`,
    [orderCode],
  );
  return rows;
}

/** The attempts of this order once there are some and all of them are settled. */
export const settledAttempts = (pool: Pool, orderCode: string): Promise<AttemptSeen[]> =>
  eventually(
    `every attempt of ${orderCode} is settled`,
    30_000,
    async () => {
      const all = await attemptsOf(pool, orderCode);
      return all.length > 0 && all.every((one) => one.state === 'settled') ? all : undefined;
    },
    () => attemptsOf(pool, orderCode),
  );

/** The attempt of this order that has its envelope and runs. */
export const runningAttempt = (pool: Pool, orderCode: string): Promise<AttemptSeen & { container_id: string }> =>
  eventually(
    `an attempt of ${orderCode} runs`,
    30_000,
    async () => {
      const running = (await attemptsOf(pool, orderCode)).find((attempt) => attempt.state === 'running');
      return running?.container_id ? { ...running, container_id: running.container_id } : undefined;
    },
    () => attemptsOf(pool, orderCode),
  );

/** The docker command, as text. Throws when it fails. */
export const docker = (...args: string[]): string =>
  execFileSync('docker', args, { encoding: 'utf8', env: { ...process.env, DOCKER_HOST } });

/** The containers of this order's attempts that are still there, whatever their state. */
export async function containersOf(pool: Pool, orderCode: string): Promise<string[]> {
  const there = new Set(docker('ps', '--all', '--quiet', '--no-trunc').split('\n'));
  return (await attemptsOf(pool, orderCode)).flatMap(({ container_id: id }) => (id && there.has(id) ? [id] : []));
}
