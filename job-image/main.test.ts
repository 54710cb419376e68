import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { expect, test } from '@jest/globals';
import { parseJobMessage } from './contract/messages.ts';

const MAIN = new URL('main.ts', import.meta.url).pathname;
function start() {
  const child = spawn(process.execPath, [MAIN], { env: {}, stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  return { child, exited: once(child, 'exit'), next: async () => parseJobMessage(String((await lines.next()).value)) };
}

test('says ready before anything else, and exits 64 when stdin ends', async () => {
  const { child, exited, next } = start();
  const ready = await next();
  expect(ready).toMatchObject({ lading: 'ready', self: { uid: process.getuid?.() } });
  child.stdin.end();
  expect(await next()).toMatchObject({ lading: 'end', reason: 'envelope_rejected' });
  expect(await exited).toEqual([64, null]);
});

test('no two have the same nonce, and SIGTERM ends a waiting one with 75', async () => {
  const both = [start(), start()];
  const [first, second] = await Promise.all(both.map(({ next }) => next()));
  expect(first).not.toEqual(second);
  for (const { child } of both) child.kill('SIGTERM');
  expect(await Promise.all(both.map(({ exited }) => exited))).toEqual([
    [75, null],
    [75, null],
  ]);
});
