/** Jobs that flood their logs, and a flood that nobody listens to. Runs with ./script/test --all. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { lineOf } from '../fixture-image/lines.ts';
import { linesOfStream, settledAttempt, startFixtureE2e, storedLines, type FixtureE2e } from './fixture-world.ts';
import { flood, FLOOD_PROFILE, logEnd, storedCount } from './flood.ts';
import { docker, eventually, runningAttempt } from './world.ts';

let e2e: FixtureE2e;
beforeAll(async () => {
  e2e = await startFixtureE2e({ leaseSeconds: 4, retryBaseMs: 600_000, profiles: FLOOD_PROFILE });
}, 120_000);
afterAll(() => e2e.stop(), 60_000);

describe('an orchestrator and its other jobs do not suffer', () => {
  test.each(['one-byte-lines', 'endless-stderr'])(
    'from %s',
    async (course) => {
      const { settled, end } = await flood(e2e, course);
      expect(settled.outcome).toBe('deadline');
      expect(end.lines_cut).toBeGreaterThan(0);
    },
    90_000,
  );

  test('from one line of 100 MB, which is kept up to the limit', async () => {
    const { settled, end } = await flood(e2e, 'long-line');
    expect(settled.outcome).toBe('no_manifest');
    expect(end.lines_cut).toBe(1);
    const line = (await storedLines(e2e.pool, settled.id))
      .filter((one) => one.c)
      .map((one) => one.l)
      .join('');
    expect(line.length).toBeGreaterThan(60_000_000);
    const wanted = 'abcdefghijklmnopqrstuvwxyz '.repeat(Math.ceil(line.length / 27)).slice(0, line.length);
    expect(line === wanted).toBe(true);
  }, 90_000);

  test('from ten million lines, of which the first are kept and none of these is missing', async () => {
    const { settled, end } = await flood(e2e, 'many-lines-10000000');
    expect(end.lines_cut).toBeGreaterThan(0);
    const stored = await storedLines(e2e.pool, settled.id);
    for (const [stream, s] of [
      ['stdout', 'o'],
      ['stderr', 'e'],
    ] as const) {
      const kept = linesOfStream(stored, s).filter((line) => !line.startsWith('{"lading":'));
      const wanted: string[] = [];
      for (let i = 0; wanted.length < kept.length; i += 1) {
        const line = lineOf(i);
        if (line.stream === stream) wanted.push(line.text);
      }
      expect(kept.findIndex((line, i) => line !== wanted[i])).toBe(-1);
    }
  }, 90_000);
});

test('what the daemon rotated away while nobody listened is a gap, and is said to be one', async () => {
  const order = await e2e.buy('pause-and-pour');
  const { id, container_id: container } = await runningAttempt(e2e.pool, order.code);
  await eventually('lines of several seconds are stored', 20_000, async () =>
    (await storedCount(e2e.pool, id)) > 50 ? true : undefined,
  );
  e2e.system.processes.get('orchestrator-1')?.signal('SIGKILL');
  await e2e.system.processes.get('orchestrator-1')?.exited;
  docker('wait', container);
  await e2e.system.startOrchestrator('orchestrator-1');
  const settled = await settledAttempt(e2e.pool, order.code);
  expect([settled.outcome, settled.exit_code, settled.detail]).toEqual(['bug', 70, 'bug: after all']);
  const stored = await storedLines(e2e.pool, id);
  const after = stored.findIndex((line) => line.g);
  expect(stored[after - 1]?.l).toMatch(/^before /);
  expect(stored[after]?.l).toMatch(/^poured /);
  const end = await logEnd(e2e.pool, id);
  expect(end.gaps).toBe(1);
  expect(end.lines_cut).toBeGreaterThan(0);
}, 120_000);
