/** A Lading whose job image is the fixture image: a course's name says how its job behaves. */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { zstdDecompressSync } from 'node:zlib';
import type { PlacedOrder } from '../../sandbox/customer.ts';
import type { SystemOptions } from '../../sandbox/system.ts';
import { putCourse } from '../../sql/courses.ts';
import { readLogChunks } from '../../sql/logs.ts';
import type { Pool } from '../../sql/pool.ts';
import { attemptsOf, eventually, startE2e, type AttemptSeen, type E2e } from './world.ts';

export type FixtureE2e = E2e & {
  /** Orders and pays `course`, which names the behaviour; it runs under `profile`. */
  buy: (course: string, profile?: string, customer?: string) => Promise<PlacedOrder>;
};

const MIB = 1024 * 1024;
/** Small, so that many run side by side and a memory limit is soon reached. */
const STANDARD = { memoryBytes: 192 * MIB, graceSeconds: 2 };

export function fixtureImage(): string {
  const script = fileURLToPath(new URL('../../script/fixture-image', import.meta.url));
  const said = execFileSync(script, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
  return (JSON.parse(said.trim().split('\n').at(-1) ?? '') as { id: string }).id;
}

export async function startFixtureE2e(options: Partial<SystemOptions> = {}): Promise<FixtureE2e> {
  const e2e = await startE2e({
    jobImage: fixtureImage(),
    ...options,
    profiles: { standard: STANDARD, ...options.profiles },
    env: { ...options.env, orchestrator: { STANDBY: '0', ...options.env?.orchestrator } },
  });
  return {
    ...e2e,
    buy: async (course, profile = 'standard', customer = 'customer@shop.example') => {
      await putCourse(
        e2e.pool,
        {
          id: course,
          title: `Course ${course}`,
          price_vnd: 499_000,
          provider: 'manifest',
          // Without an enrolment endpoint: the provider does not know these courses.
          source: { manifestUrl: `${e2e.system.providerUrl}/courses/${course}/manifest.json`, bearer: 'sandbox' },
          profile,
        },
        { kind: 'own', evidence: 'https://lading.example/rights', recordedBy: 'test' },
      );
      const order = await e2e.customer.order(course, customer);
      await e2e.customer.pay(order);
      return order;
    },
  };
}

/** Attempt `n` of this order once it is settled. */
export const settledAttempt = (pool: Pool, orderCode: string, n = 1, limitMs = 60_000): Promise<AttemptSeen> =>
  eventually(
    `attempt ${n} of ${orderCode} is settled`,
    limitMs,
    async () => (await attemptsOf(pool, orderCode)).find((one) => one.n === n && one.state === 'settled'),
    () => attemptsOf(pool, orderCode),
  );

export type JobSeen = {
  id: string;
  state: string;
  attempts_spent: number;
  losses: number;
  profile: string | null;
  dead_reason: string | null;
  dead_detail: string | null;
  /** Until its next task is due, by the database's clock. */
  due_in_seconds: number;
};

export async function jobOf(pool: Pool, orderCode: string): Promise<JobSeen> {
  const { rows } = await pool.query<JobSeen>(
    `SELECT j.id, j.state, j.attempts_spent, j.losses, j.profile, j.dead_reason, j.dead_detail,
            extract(epoch FROM j.next_task_at - now())::float8 AS due_in_seconds
     FROM jobs j JOIN orders o ON o.id = j.order_id WHERE o.code = $1::text`,
    [orderCode],
  );
  if (!rows[0]) throw new Error(`no job of ${orderCode}`);
  return rows[0];
}

export type StoredLine = { n: number; t: string; s: 'o' | 'e'; l: string; c?: 1; g?: 1 };

/** What is stored of an attempt's log, line by line. */
export async function storedLines(pool: Pool, attemptId: string): Promise<StoredLine[]> {
  return (await readLogChunks(pool, attemptId)).flatMap((chunk) =>
    zstdDecompressSync(chunk.zstd)
      .toString('utf8')
      .trimEnd()
      .split('\n')
      .map((text) => JSON.parse(text) as StoredLine),
  );
}

/** The lines of one stream as the job wrote them, parts put together again. */
export function linesOfStream(lines: readonly StoredLine[], stream: StoredLine['s']): string[] {
  return lines
    .filter((line) => line.s === stream)
    .map((line) => `${line.l}${line.c ? '' : '\n'}`)
    .join('')
    .split('\n')
    .slice(0, -1);
}
