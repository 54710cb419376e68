/** The sampler on a daemon of the test's own: a socket that answers, or does not. */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { pino } from 'pino';
import type { SampledAttempt, StoredSamples } from '../../sql/samples.ts';
import { makeDockerEngine } from '../engine/docker.ts';
import { startSampler, type Sampler, type SamplerDeps } from './sampler.ts';

const EVERY_MS = 20;
const MIB = 1024 * 1024;

let dir: string;
let daemon: Server;
let asked: string[];
/** What the daemon says of a container; undefined: it answers nothing. */
let answers: (id: string) => object | undefined;
let stored: SampledAttempt[][];
let wake: () => void;
let sampler: Sampler | undefined;

const running = (usage: number, cpuNanos = 0, read = new Date()): object => ({
  read: read.toISOString(),
  cpu_stats: { cpu_usage: { total_usage: cpuNanos } },
  memory_stats: { usage, stats: {} },
});

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'lading-sampler-'));
  asked = [];
  stored = [];
  answers = () => running(MIB);
  daemon = createServer((request, response) => {
    const id = /\/containers\/([^/]+)\/stats\?stream=false&one-shot=true/.exec(request.url ?? '')?.[1] ?? '';
    asked.push(id);
    const answer = answers(id);
    if (answer) response.setHeader('Content-Type', 'application/json').end(JSON.stringify(answer));
  });
  daemon.listen(join(dir, 'docker.sock'));
  await once(daemon, 'listening');
});
afterEach(async () => {
  await sampler?.stop();
  daemon.closeAllConnections();
  await new Promise((resolve) => daemon.close(resolve));
  rmSync(dir, { recursive: true });
});

function start(changes: Partial<SamplerDeps> = {}): Sampler {
  const engine = makeDockerEngine(`unix://${join(dir, 'docker.sock')}`);
  sampler = startSampler({
    log: pino({ level: 'silent' }),
    everyMs: EVERY_MS,
    usage: engine.usage,
    isSilent: () => false,
    stored: async () => undefined,
    store: async (samples) => {
      stored.push([...samples]);
      wake();
    },
    ...changes,
  });
  return sampler;
}
const storedTimes = async (times: number): Promise<void> => {
  while (stored.length < times) await new Promise<void>((resolve) => (wake = resolve));
};
const attempt = (id: string, lease_epoch = 1) => ({ id, lease_epoch });

test('memory, and processor time since the look before', async () => {
  const begin = Date.parse('2026-03-01T10:00:00Z');
  let looks = 0;
  answers = () => {
    looks += 1;
    // A quarter of a processor.
    return running(MIB * looks, looks * 2_500_000_000, new Date(begin + looks * 10_000));
  };
  start().watch(attempt('a'), 'c');
  await storedTimes(3);
  expect(stored[0]).toMatchObject([
    { attempt_id: 'a', epoch: 1, at_seconds: [0], memory_kib: [1024], cpu_milli: [null] },
  ]);
  expect(stored[2]?.[0]).toMatchObject({ memory_peak_kib: 3 * 1024, cpu_peak_milli: 250 });
});

test('while nothing runs nobody is asked, and nothing is written', async () => {
  const stop = start().watch(attempt('a'), 'c');
  await storedTimes(1);
  stop();
  const before = [asked.length, stored.length];
  // Longer than several looks: what is awaited is that nothing happens.
  await new Promise((resolve) => setTimeout(resolve, EVERY_MS * 10));
  expect([asked.length, stored.length]).toEqual(before);
});

test('a container that does not answer costs its own look, and not those of the others', async () => {
  answers = (id) => (id === 'hangs' ? undefined : running(MIB));
  const watching = start({ passLimitMs: 200 });
  watching.watch(attempt('a'), 'hangs');
  watching.watch(attempt('b'), 'answers');
  await storedTimes(2);
  expect(stored.map((rows) => rows.map((row) => row.attempt_id))).toEqual([['b'], ['b']]);
});

test('a daemon that hangs ends a pass at its limit, and the next one follows', async () => {
  answers = () => undefined;
  const watching = start({ passLimitMs: 50 });
  for (let i = 0; i < 20; i += 1) watching.watch(attempt(`a${i}`), `c${i}`);
  while (asked.length < 4) await once(daemon, 'request');
  answers = () => running(MIB);
  await storedTimes(1);
  // Four of the first pass hung; the pass after it asks all of them.
  expect(stored[0]).toHaveLength(20);
});

test('an engine that is known to be silent is not asked at all', async () => {
  let looked = 0;
  start({
    isSilent: () => {
      looked += 1;
      wake();
      return true;
    },
  }).watch(attempt('a'), 'c');
  while (looked < 3) await new Promise<void>((resolve) => (wake = resolve));
  expect(asked).toEqual([]);
});

test('who adopts goes on with what is stored', async () => {
  const before: StoredSamples = {
    step_seconds: 1,
    at_seconds: [0, 100],
    memory_kib: [9_000, 10],
    cpu_milli: [null, 700],
    age_seconds: 300,
  };
  start({ stored: async () => before }).watch(attempt('a', 2), 'c');
  await storedTimes(1);
  expect(stored[0]?.[0]).toMatchObject({
    epoch: 2,
    at_seconds: [0, 100, 300],
    memory_kib: [9_000, 10, 1024],
    memory_peak_kib: 9_000,
    cpu_peak_milli: 700,
  });
});

test('what cannot be stored now is stored with the next look', async () => {
  let refused = 0;
  const store = async (samples: readonly SampledAttempt[]): Promise<void> => {
    refused += 1;
    if (refused === 1) throw new Error('the database is away');
    stored.push([...samples]);
    wake();
  };
  start({ store }).watch(attempt('a'), 'c');
  await storedTimes(1);
  expect(refused).toBe(2);
});
