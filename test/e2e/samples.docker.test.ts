/** Memory and processor time of a real container, over the death of the orchestrator that looked at it. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { settledAttempt, startFixtureE2e, type FixtureE2e } from './fixture-world.ts';
import { attemptsOf, eventually, runningAttempt } from './world.ts';

let e2e: FixtureE2e;
beforeAll(async () => {
  e2e = await startFixtureE2e({
    orchestrators: 2,
    leaseSeconds: 4,
    env: { orchestrator: { SAMPLE_SECONDS: '1' } },
  });
}, 60_000);
afterAll(() => e2e.stop(), 60_000);

type Samples = { began_at: Date; at_seconds: number[]; memory_kib: number[]; cpu_milli: (number | null)[] };
const samplesOf = async (attemptId: string): Promise<Samples | undefined> => {
  const { rows } = await e2e.pool.query<Samples>('SELECT * FROM attempt_samples WHERE attempt_id = $1', [attemptId]);
  return rows[0];
};
const points = (attemptId: string, count: number, not?: string): Promise<Samples> =>
  eventually(
    `${count} points of ${attemptId}`,
    30_000,
    async () => {
      const found = await samplesOf(attemptId);
      return found && found.at_seconds.length >= count && found.at_seconds.join() !== not ? found : undefined;
    },
    () => samplesOf(attemptId),
  );

test('a container is sampled while it runs, by whoever follows it', async () => {
  const order = await e2e.buy('sleep-ms-25000');
  const attempt = await runningAttempt(e2e.pool, order.code);
  const first = await points(attempt.id, 2);
  // A Node process that waits.
  expect(first.memory_kib.every((kib) => kib > 1_024 && kib < 192 * 1_024)).toBe(true);
  expect(first.cpu_milli[0]).toBeNull();
  expect(first.cpu_milli[1]).toBeGreaterThanOrEqual(0);

  const killed =
    [...e2e.system.processes].find(([, one]) => one.listening['holder'] === attempt.lease_holder)?.[0] ?? '';
  e2e.system.processes.get(killed)?.signal('SIGKILL');
  await e2e.system.processes.get(killed)?.exited;
  const before = await samplesOf(attempt.id);
  const after = await points(attempt.id, (before?.at_seconds.length ?? 0) + 2);
  expect(after.began_at).toEqual(before?.began_at);
  expect(after.at_seconds).toEqual(after.at_seconds.toSorted((a, b) => a - b));
  expect(after.at_seconds.slice(0, before?.at_seconds.length)).toEqual(before?.at_seconds);

  await settledAttempt(e2e.pool, order.code);
  const [settled] = await attemptsOf(e2e.pool, order.code);
  expect(settled?.lease_epoch).toBeGreaterThan(attempt.lease_epoch);
  expect(await e2e.lading('operator', 'profiles', 'suggest')).toMatch(
    /^standard +1 +memory +192 MiB +\d+ MiB +\d+ MiB +- +1 sampled attempts; 20 are needed$/m,
  );
});
