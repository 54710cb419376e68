/** Logs of jobs that say what they must not, and of orchestrators that die while they listen. Floods: hostile-logs.long. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { envelopeSchema, secretsOf } from '../../job-image/contract/envelope.ts';
import { AROUND_SPLIT_BYTES, lineOf, lineOfBytes, type Printed } from '../fixture-image/lines.ts';
import { linesOfStream, settledAttempt, startFixtureE2e, storedLines, type FixtureE2e } from './fixture-world.ts';
import { followerOf, logEnd, storedCount } from './flood.ts';
import { attemptsOf, docker, eventually, runningAttempt } from './world.ts';

/** No piece of a secret from which the rest could be guessed. */
const PIECE_CHARS = 12;

let e2e: FixtureE2e;
beforeAll(async () => {
  e2e = await startFixtureE2e({
    orchestrators: 2,
    leaseSeconds: 4,
    retryBaseMs: 600_000,
  });
}, 120_000);
afterAll(() => e2e.stop(), 60_000);

const sha256 = (lines: readonly string[]): string => createHash('sha256').update(lines.join('\n')).digest('hex');
const isMessage = (line: string): boolean => line.startsWith('{"lading":');

describe('an orchestrator killed while it listens', () => {
  const COUNT = 200_000;

  test(`loses none of ${COUNT} lines and stores none twice, long ones included`, async () => {
    const order = await e2e.buy(`many-lines-paced-${COUNT}`);
    const { id, container_id: container } = await runningAttempt(e2e.pool, order.code);
    // The second to die is the one that adopted.
    for (const [deaths, share] of [0.2, 0.5].entries()) {
      await eventually(`${share} of the lines are stored`, 30_000, async () =>
        (await storedCount(e2e.pool, id)) > share * COUNT ? true : undefined,
      );
      const name = await followerOf(e2e, order.code);
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
    expect(await logEnd(e2e.pool, id)).toMatchObject({ lines_cut: 0, gaps: 0 });
  }, 120_000);
});

test('lines around the border at which the daemon cuts come out as they were', async () => {
  const order = await e2e.buy('sixteen-kib');
  const { id } = await settledAttempt(e2e.pool, order.code);
  const lines = linesOfStream(await storedLines(e2e.pool, id), 'o').filter((line) => !isMessage(line));
  expect(lines).toEqual(AROUND_SPLIT_BYTES.map((bytes) => lineOfBytes(bytes)));
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
  const maskedAll = secretsOf(envelope).map(() => '[masked]');
  expect(attempt.detail).toBe(`bug: it said ${maskedAll.join(' and ')}`);
}, 60_000);
