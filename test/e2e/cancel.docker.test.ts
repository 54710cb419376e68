/** A job cancelled at any instant of its life: it dies of just that, and nothing of it is left behind. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { cancelJob } from '../moves.ts';
import { inTransaction } from '../../sql/pool.ts';
import { jobOf, settledAttempt, startFixtureE2e, type FixtureE2e } from './fixture-world.ts';
import { attemptsOf, containersOf, eventually, runningAttempt } from './world.ts';

const MIB = 1024 * 1024;
const SIDE_BY_SIDE = 5;

let e2e: FixtureE2e;
beforeAll(async () => {
  e2e = await startFixtureE2e({
    slots: SIDE_BY_SIDE,
    profiles: { cold: { memoryBytes: 128 * MIB, graceSeconds: 1 } },
    env: { orchestrator: { STANDBY: '2' } },
  });
}, 120_000);
afterAll(() => e2e.stop(), 60_000);

type Instant = {
  name: string;
  course: string;
  profile: 'standard' | 'cold';
  /** Resolves at the instant, counted from when the order was paid. */
  come: (code: string) => Promise<unknown>;
};

const after = (ms: number) => () => sleep(ms); // the instant is what varies here, nothing is waited for

const attemptIn = (code: string, what: string, is: (one: { state: string; container_id: string | null }) => boolean) =>
  eventually(what, 20_000, async () => (await attemptsOf(e2e.pool, code)).find(is));

const INSTANTS: Instant[] = [
  ...[0, 5, 10, 20, 30, 40, 60, 80, 120].map((ms) => ({
    name: `${ms} ms after the payment, with a standby`,
    course: 'sleep',
    profile: 'standard' as const,
    come: after(ms),
  })),
  ...[0, 15, 30, 60, 100, 150, 200, 250, 300, 400, 500, 600, 800].map((ms) => ({
    name: `${ms} ms after the payment, without a standby`,
    course: 'sleep',
    profile: 'cold' as const,
    come: after(ms),
  })),
  {
    name: 'when the attempt has its row',
    course: 'sleep',
    profile: 'cold',
    come: (code) => attemptIn(code, 'a row', () => true),
  },
  {
    name: 'when the container is written down',
    course: 'sleep',
    profile: 'cold',
    come: (code) => attemptIn(code, 'a container', (one) => one.container_id !== null),
  },
  {
    name: 'as soon as it runs',
    course: 'ignore-term',
    profile: 'cold',
    come: (code) => runningAttempt(e2e.pool, code),
  },
  ...[350, 400, 450, 500, 550, 600].map((ms) => ({
    name: `${ms} ms after its start, which is 500 ms before its end`,
    course: 'sleep-ms-500',
    profile: 'cold' as const,
    come: (code: string) => runningAttempt(e2e.pool, code).then(() => sleep(ms)),
  })),
  {
    name: 'when it waits for its next attempt',
    course: 'retry-after-600',
    profile: 'cold',
    come: (code) => settledAttempt(e2e.pool, code),
  },
];

/** Buys, waits for the instant, cancels; answers what is left when the job has come to rest. */
async function cancelledAt({ name, course, profile, come }: Instant) {
  const order = await e2e.buy(course, profile, `${name.replaceAll(/\W/g, '-')}@shop.example`);
  await come(order.code);
  const { id } = await jobOf(e2e.pool, order.code);
  const answer = await inTransaction(e2e.pool, (client) => cancelJob(client, id, `cancelled ${name}`));
  const job = await eventually(
    `the job cancelled ${name} is dead`,
    20_000,
    async () => {
      const seen = await jobOf(e2e.pool, order.code);
      return seen.state === 'dead' ? seen : undefined;
    },
    () => Promise.all([jobOf(e2e.pool, order.code), attemptsOf(e2e.pool, order.code)]),
  );
  await eventually(`the container of the job cancelled ${name} is gone`, 20_000, async () =>
    (await containersOf(e2e.pool, order.code)).length === 0 ? true : undefined,
  );
  const attempts = await attemptsOf(e2e.pool, order.code);
  return { name, answer, job, open: attempts.filter((one) => one.state !== 'settled').length };
}

test('at every instant: dead, for that reason, no container, no slot', async () => {
  const left = [...INSTANTS];
  const seen: Awaited<ReturnType<typeof cancelledAt>>[] = [];
  const worker = async (): Promise<void> => {
    for (let next = left.shift(); next; next = left.shift()) seen.push(await cancelledAt(next));
  };
  await Promise.all(Array.from({ length: SIDE_BY_SIDE }, worker));
  expect(seen).toHaveLength(INSTANTS.length);
  for (const { name, job, open } of seen) {
    expect([name, job.dead_reason, open]).toEqual([name, 'cancelled', 0]);
    expect(job.dead_detail).toContain(`cancelled ${name}`);
  }
  // Both ways were met: what waits dies at once, what runs is stopped.
  expect(new Set(seen.map(({ answer }) => answer))).toEqual(new Set(['dead', 'stopping']));
  const { rows } = await e2e.pool.query('SELECT slots_used, launching, memory_used FROM engines');
  expect(rows).toEqual([{ slots_used: 0, launching: 0, memory_used: 0 }]);
}, 120_000);

test('a job that is dead of something else stays so', async () => {
  const order = await e2e.buy('exit-65', 'cold');
  await settledAttempt(e2e.pool, order.code);
  const { id } = await jobOf(e2e.pool, order.code);
  expect(await inTransaction(e2e.pool, (client) => cancelJob(client, id, 'too late'))).toBe('too_late');
  expect((await jobOf(e2e.pool, order.code)).dead_reason).toBe('bad_input');
});
