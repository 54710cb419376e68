import { expect, test } from '@jest/globals';
import { makeRateGate } from './rate-gate.ts';

const LIMITS = { tries: 4, baseMs: 100, capMs: 400, retryAfterMaxSeconds: 2 };
const never = new AbortController().signal;

/** How long `pass` holds, in milliseconds of the clock it is given; it sleeps in real ones, as long as it thinks. */
function gateAt() {
  let now = 0;
  const gate = makeRateGate(
    LIMITS,
    () => now,
    () => 1,
  );
  const isShut = async (): Promise<boolean> => {
    const stopped = new AbortController();
    const passing = gate.pass(stopped.signal).then(
      () => false,
      () => true,
    );
    stopped.abort();
    return await passing;
  };
  const shutForMs = async (): Promise<number> => {
    const from = now;
    while (await isShut()) now += 10;
    const ms = now - from;
    now = from;
    return ms;
  };
  return { gate, shutForMs, wait: (ms: number) => void (now += ms), now: () => now };
}

test('each wave of refusals shuts it for longer, up to the limit; refusals of one wave count once', async () => {
  const { gate, shutForMs, wait, now } = gateAt();
  const waits: number[] = [];
  for (let wave = 0; wave < 4; wave += 1) {
    const sent = now();
    wait(1);
    gate.limited(sent, undefined);
    gate.limited(sent, undefined);
    waits.push(await shutForMs());
    wait(500);
  }
  expect(waits).toEqual([100, 200, 400, 400]);
});

test('a call that passes opens it for good, but one that left before the refusal says nothing', async () => {
  const { gate, shutForMs, wait, now } = gateAt();
  gate.limited(now(), undefined);
  gate.passed(now() - 5);
  wait(200);
  gate.limited(now(), undefined);
  expect(await shutForMs()).toBe(200);
  wait(300);
  gate.passed(now());
  wait(1);
  gate.limited(now(), undefined);
  expect(await shutForMs()).toBe(100);
});

test('a wish of Drive is kept, up to what a job waits for', async () => {
  const { gate, shutForMs, wait, now } = gateAt();
  gate.limited(now(), 1);
  expect(await shutForMs()).toBe(1_000);
  wait(5_000);
  gate.limited(now(), 600);
  expect(await shutForMs()).toBe(2_000);
});

test('who waits at it goes on, and stops at once when the job is over', async () => {
  const gate = makeRateGate({ ...LIMITS, baseMs: 5 });
  gate.limited(performance.now(), undefined);
  await gate.pass(never);
  const over = new AbortController();
  gate.limited(performance.now() + 1, 2);
  const waiting = gate.pass(over.signal);
  over.abort(new Error('over'));
  await expect(waiting).rejects.toThrow();
});
