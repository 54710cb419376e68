/** Logs of jobs that say too much, too fast or too long, and of orchestrators that die while they listen. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { envelopeSchema, secretsOf } from '../../job-image/contract/envelope.ts';
import { AROUND_SPLIT_BYTES, lineOf, lineOfBytes, type Printed } from '../fixture-image/lines.ts';
import { linesOfStream, settledAttempt, startFixtureE2e, storedLines, type FixtureE2e } from './fixture-world.ts';
import { attemptsOf, docker, eventually, runningAttempt } from './world.ts';

const MIB = 1024 * 1024;
const LOG_MAX_BYTES = 64 * MIB;
/** No piece of a secret from which the rest could be guessed. */
const PIECE_CHARS = 12;
const FLOOD_SEEN_LINES = 10;
/** Alone it takes about a second. */
const NEIGHBOUR_LIMIT_MS = 8_000;

let e2e: FixtureE2e;
beforeAll(async () => {
  e2e = await startFixtureE2e({
    orchestrators: 2,
    leaseSeconds: 4,
    retryBaseMs: 600_000,
    profiles: { flood: { memoryBytes: 192 * MIB, deadlineSeconds: 15, graceSeconds: 1 } },
  });
}, 120_000);
afterAll(() => e2e.stop(), 60_000);

const sha256 = (lines: readonly string[]): string => createHash('sha256').update(lines.join('\n')).digest('hex');
const isMessage = (line: string): boolean => line.startsWith('{"lading":');

const storedCount = async (attemptId: string): Promise<number> => {
  const { rows } = await e2e.pool.query<{ lines: number }>(
    'SELECT coalesce(sum(line_count), 0)::int AS lines FROM log_chunks WHERE attempt_id = $1::uuid',
    [attemptId],
  );
  return rows[0]?.lines ?? 0;
};

const logEnd = async (attemptId: string) => {
  const { rows } = await e2e.pool.query<{ lines: number; raw_bytes: number; lines_cut: number; gaps: number }>(
    'SELECT lines, raw_bytes, lines_cut, gaps FROM log_ends WHERE attempt_id = $1::uuid',
    [attemptId],
  );
  if (!rows[0]) throw new Error(`the log of ${attemptId} has no end`);
  return rows[0];
};

/** The name of the orchestrator that holds this attempt. */
async function followerOf(orderCode: string): Promise<string> {
  const holder = (await attemptsOf(e2e.pool, orderCode))[0]?.lease_holder;
  const found = [...e2e.system.processes.values()].find((one) => one.listening['holder'] === holder);
  if (!found) throw new Error(`nobody is ${holder}`);
  return found.name;
}

async function metricOf(orchestrator: string, metric: string): Promise<number> {
  const text = await (await fetch(`${e2e.system.processes.get(orchestrator)?.listening['url']}/metrics`)).text();
  return Number(new RegExp(`^${metric} (.+)$`, 'm').exec(text)?.[1]);
}

describe('an orchestrator killed while it listens', () => {
  const COUNT = 200_000;

  test(`loses none of ${COUNT} lines and stores none twice, long ones included`, async () => {
    const order = await e2e.buy(`many-lines-paced-${COUNT}`);
    const { id, container_id: container } = await runningAttempt(e2e.pool, order.code);
    // The second to die is the one that adopted.
    for (const [deaths, share] of [0.2, 0.5].entries()) {
      await eventually(`${share} of the lines are stored`, 30_000, async () =>
        (await storedCount(id)) > share * COUNT ? true : undefined,
      );
      const name = await followerOf(order.code);
      e2e.system.processes.get(name)?.signal('SIGKILL');
      await e2e.system.processes.get(name)?.exited;
      await e2e.system.startOrchestrator(name);
      await eventually('another has adopted it', 15_000, async () =>
        (await attemptsOf(e2e.pool, order.code))[0]?.lease_epoch === deaths + 2 ? true : undefined,
      );
    }
    const settled = await settledAttempt(e2e.pool, order.code);
    expect([settled.outcome, settled.container_id, settled.lease_epoch]).toEqual(['no_manifest', container, 3]);

    const stored = await storedLines(e2e.pool, id);
    expect(stored.map((line) => line.n)).toEqual(stored.map((_, i) => i + 1));
    const printed = Array.from({ length: COUNT }, (_, i): Printed => lineOf(i));
    for (const [stream, s] of [
      ['stdout', 'o'],
      ['stderr', 'e'],
    ] as const) {
      const wanted = printed.filter((line) => line.stream === stream).map((line) => line.text);
      const lines = linesOfStream(stored, s).filter((line) => !isMessage(line));
      expect([lines.length, sha256(lines)]).toEqual([wanted.length, sha256(wanted)]);
    }
    expect(await logEnd(id)).toMatchObject({ lines_cut: 0, gaps: 0 });
  }, 120_000);
});

test('lines around the border at which the daemon cuts come out as they were', async () => {
  const order = await e2e.buy('sixteen-kib');
  const { id } = await settledAttempt(e2e.pool, order.code);
  const lines = linesOfStream(await storedLines(e2e.pool, id), 'o').filter((line) => !isMessage(line));
  expect(lines).toEqual(AROUND_SPLIT_BYTES.map(lineOfBytes));
});

test('no secret is stored, however it is said', async () => {
  const order = await e2e.buy('secret-in-pieces-2000');
  const { id, container_id: container } = await runningAttempt(e2e.pool, order.code);
  const pid = docker('inspect', '--format', '{{.State.Pid}}', container).trim();
  const envelope = envelopeSchema.parse(
    JSON.parse(readFileSync(`/proc/${pid}/root/run/secrets/envelope.json`, 'utf8')),
  );
  const attempt = await settledAttempt(e2e.pool, order.code);
  const stored = await storedLines(e2e.pool, id);
  const { rows } = await e2e.pool.query('SELECT detail, end_message::text FROM attempts WHERE id = $1::uuid', [id]);
  // As stored, and with the parts of long lines put together; without the dots that fill long lines.
  const said = [...stored.map((line) => line.l), ...linesOfStream(stored, 'o'), JSON.stringify(rows)]
    .join('\n')
    .replaceAll(/\.{50,}/g, '…');
  const leaked = secretsOf(envelope)
    .flatMap((secret) => [secret, Buffer.from(secret).toString('base64'), encodeURIComponent(secret)])
    .flatMap((form) => Array.from({ length: form.length - PIECE_CHARS }, (_, at) => form.slice(at, at + PIECE_CHARS)))
    .filter((piece) => said.includes(piece));
  expect(leaked).toEqual([]);
  expect(said.match(/\[masked\]/g)?.length).toBeGreaterThan(100);
  expect(attempt.detail).toBe('bug: it said [masked] and [masked] and [masked] and [masked]');
}, 60_000);

describe('a job that floods', () => {
  /** Resident memory and event loop of an orchestrator. */
  const rssMib = (orchestrator: string): number => {
    const status = readFileSync(`/proc/${e2e.system.processes.get(orchestrator)?.pid}/status`, 'utf8');
    return Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1]) / 1024;
  };

  test.each([
    ['one-byte lines', 'one-byte-lines'],
    ['an endless stderr', 'endless-stderr'],
    ['one line of 100 MB', 'long-line'],
    ['ten million lines', 'many-lines-10000000'],
  ])(
    'with %s costs its orchestrator little and its neighbours nothing',
    async (_, course) => {
      const order = await e2e.buy(course, 'flood');
      const { id } = await runningAttempt(e2e.pool, order.code);
      const name = await followerOf(order.code);
      await metricOf(name, 'nodejs_eventloop_lag_p99_seconds'); // reading it begins a new measurement
      await eventually('it floods', 20_000, async () =>
        (await storedCount(id)) > FLOOD_SEEN_LINES ? true : undefined,
      );

      const startedAt = performance.now();
      const other = await e2e.buy('exit-3', 'standard', 'other@shop.example');
      expect((await settledAttempt(e2e.pool, other.code)).outcome).toBe('unknown_exit');
      expect(performance.now() - startedAt).toBeLessThan(NEIGHBOUR_LIMIT_MS);

      const settled = await settledAttempt(e2e.pool, order.code);
      expect(settled.outcome).toBe(course === 'long-line' ? 'no_manifest' : 'deadline');
      expect(await metricOf(name, 'nodejs_eventloop_lag_p99_seconds')).toBeLessThan(0.1);
      expect(rssMib(name)).toBeLessThan(250);

      const end = await logEnd(id);
      expect(end.gaps).toBe(0);
      expect(end.raw_bytes).toBeLessThan(LOG_MAX_BYTES + 2 * MIB);
      expect(end.lines_cut).toBeGreaterThan(0);
    },
    90_000,
  );
});
