import { once } from 'node:events';
import { connect } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { DEFAULT_LIMITS } from './server.ts';
import { connectThrough, startEgress, startTcp } from './test/start.ts';

const STRANGERS_MAX = 8;
const FLOOD = 3 * DEFAULT_LIMITS.strangers;

let echo: Awaited<ReturnType<typeof startTcp>>;
let egress: Awaited<ReturnType<typeof startEgress>>;
beforeAll(async () => {
  echo = await startTcp((socket) => socket.pipe(socket));
  egress = await startEgress({
    allow: ['echo.example.org:443'],
    hostMap: { 'echo.example.org:443': `127.0.0.1:${echo.port}` },
    limits: { strangers: STRANGERS_MAX },
  });
});
afterAll(async () => {
  await egress.stop();
  await echo.stop();
});

const silent = async () => {
  const socket = connect(egress.socketPath);
  socket.on('error', () => undefined).resume();
  await once(socket, 'connect');
  return socket;
};
const echoed = async (socket: Awaited<ReturnType<typeof connectThrough>>['socket'], text: string): Promise<string> => {
  socket.write(text);
  const [said] = (await once(socket, 'data')) as [Buffer];
  return said.toString();
};

test('silent connections put out each other, the oldest first, and nobody who showed a token', async () => {
  const first = await connectThrough(egress.socketPath, 'echo.example.org:443');
  const oldest = await silent();
  const others = [];
  for (let n = 1; n < STRANGERS_MAX; n += 1) others.push(await silent());
  const putOut = once(oldest, 'close');
  // One more than there is room for, and it is let in.
  const second = await connectThrough(egress.socketPath, 'echo.example.org:443');
  await putOut;
  expect(others.map((socket) => socket.closed)).toEqual(others.map(() => false));
  expect([await echoed(first.socket, 'first'), await echoed(second.socket, 'second')]).toEqual(['first', 'second']);
  expect(await egress.metricsText()).toContain('egress_refusals_total{reason="crowded_out"} 1');
  for (const socket of [first.socket, second.socket, ...others]) socket.destroy();
});

/** As a job does it: a queue that is full for the moment is tried again. */
async function tunnelThrough(socketPath: string): ReturnType<typeof connectThrough> {
  for (;;)
    try {
      return await connectThrough(socketPath, 'echo.example.org:443');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
      await setImmediate();
    }
}

test('a job gets its tunnels while others open silent connections by the thousand', async () => {
  const roomy = await startEgress({
    allow: ['echo.example.org:443'],
    hostMap: { 'echo.example.org:443': `127.0.0.1:${echo.port}` },
  });
  const flood = Array.from({ length: FLOOD }, () => connect(roomy.socketPath).on('error', () => undefined));
  const answers: number[] = [];
  for (let n = 0; n < 20; n += 1) {
    const tunnel = await tunnelThrough(roomy.socketPath);
    answers.push(tunnel.status);
    tunnel.socket.destroy();
  }
  expect(answers).toEqual(answers.map(() => 200));
  for (const socket of flood) socket.destroy();
  await roomy.stop();
});
