/** A job that floods its log, and what that may cost: checked for every kind of flood in the same way. */
import { readFileSync } from 'node:fs';
import { expect } from '@jest/globals';
import type { Pool } from '../../sql/pool.ts';
import { settledAttempt, type FixtureE2e } from './fixture-world.ts';
import { attemptsOf, eventually, runningAttempt, type AttemptSeen } from './world.ts';

const MIB = 1024 * 1024;
const LOG_MAX_BYTES = 64 * MIB;
const RSS_MAX_MIB = 250;
const LOOP_DELAY_P99_MAX_SECONDS = 0.1;
/** Alone it takes about a second; beside a flood it shares two cores with the daemon, who writes and reads it. */
const NEIGHBOUR_LIMIT_MS = 20_000;
const FLOOD_SEEN_LINES = 10;

export const FLOOD_PROFILE = { flood: { memoryBytes: 192 * MIB, deadlineSeconds: 15, graceSeconds: 1 } };

export async function storedCount(pool: Pool, attemptId: string): Promise<number> {
  const { rows } = await pool.query<{ lines: number }>(
    'SELECT coalesce(sum(line_count), 0)::int AS lines FROM log_chunks WHERE attempt_id = $1::uuid',
    [attemptId],
  );
  return rows[0]?.lines ?? 0;
}

export type LogEndSeen = { lines: number; raw_bytes: number; lines_cut: number; gaps: number };

export async function logEnd(pool: Pool, attemptId: string): Promise<LogEndSeen> {
  const { rows } = await pool.query<LogEndSeen>(
    'SELECT lines, raw_bytes, lines_cut, gaps FROM log_ends WHERE attempt_id = $1::uuid',
    [attemptId],
  );
  if (!rows[0]) throw new Error(`the log of ${attemptId} has no end`);
  return rows[0];
}

/** The name of the orchestrator that holds the first attempt of this order. */
export async function followerOf(e2e: FixtureE2e, orderCode: string): Promise<string> {
  const holder = (await attemptsOf(e2e.pool, orderCode))[0]?.lease_holder;
  const found = [...e2e.system.processes.values()].find((one) => one.listening['holder'] === holder);
  if (!found) throw new Error(`nobody is ${holder}`);
  return found.name;
}

/** The 99th percentile since it was asked for last. */
async function loopDelaySeconds(e2e: FixtureE2e, name: string): Promise<number> {
  const text = await (await fetch(`${e2e.system.processes.get(name)?.listening['url']}/metrics`)).text();
  return Number(/^nodejs_eventloop_lag_p99_seconds (.+)$/m.exec(text)?.[1]);
}

/** The most it ever had. */
function residentMib(e2e: FixtureE2e, name: string): number {
  const status = readFileSync(`/proc/${e2e.system.processes.get(name)?.pid}/status`, 'utf8');
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1]) / 1024;
}

/** Runs `course` under the profile of FLOOD_PROFILE, and another job beside it; checks what the flood did to both. */
export async function flood(e2e: FixtureE2e, course: string): Promise<{ settled: AttemptSeen; end: LogEndSeen }> {
  const order = await e2e.buy(course, 'flood');
  const { id } = await runningAttempt(e2e.pool, order.code);
  const name = await followerOf(e2e, order.code);
  await loopDelaySeconds(e2e, name);
  await eventually('it floods', 20_000, async () =>
    (await storedCount(e2e.pool, id)) > FLOOD_SEEN_LINES ? true : undefined,
  );

  const startedAt = performance.now();
  const other = await e2e.buy('exit-3', 'standard', 'other@shop.example');
  expect((await settledAttempt(e2e.pool, other.code)).outcome).toBe('unknown_exit');
  expect(performance.now() - startedAt).toBeLessThan(NEIGHBOUR_LIMIT_MS);

  const settled = await settledAttempt(e2e.pool, order.code);
  const seen = { lagSeconds: await loopDelaySeconds(e2e, name), rssMib: residentMib(e2e, name) };
  expect(seen.lagSeconds).toBeLessThan(LOOP_DELAY_P99_MAX_SECONDS);
  expect(seen.rssMib).toBeLessThan(RSS_MAX_MIB);
  const end = await logEnd(e2e.pool, id);
  expect(end.gaps).toBe(0);
  expect(end.raw_bytes).toBeLessThan(LOG_MAX_BYTES + MIB);
  return { settled, end };
}
