/** What the engine says of a container that ran out of memory, also when the daemon heard of it too late to mark it. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { makeDockerEngine } from '../../orchestrator/engine/docker.ts';
import type { ContainerState, Engine } from '../../orchestrator/engine/engine.ts';
import { LABEL } from '../../orchestrator/container-spec.ts';
import { startEngineProxy, type EngineProxy } from './engine-proxy.ts';
import { docker, DOCKER_HOST } from './world.ts';

const MEMORY_BYTES = 96 * 1024 * 1024;
let proxy: EngineProxy;
let engine: Engine;
let silenced = 0;
beforeAll(async () => {
  // A value of the same length, so that the answer stays whole.
  proxy = await startEngineProxy(DOCKER_HOST, undefined, (chunk) => {
    const text = chunk.toString('latin1');
    if (!text.includes('"OOMKilled":true')) return chunk;
    silenced += 1;
    return Buffer.from(text.replace('"OOMKilled":true', '"OOMKilled":null'), 'latin1');
  });
  engine = makeDockerEngine(proxy.dockerHost);
  await engine.ping();
});
afterAll(() => proxy.stop());

async function ended(script: string, act: (id: string) => void = () => undefined): Promise<ContainerState | undefined> {
  const installation = process.env['LADING_INSTALLATION'] ?? 'test';
  const id = await engine.create({
    name: `lading-${installation}-oom-${Date.now()}`,
    body: {
      Image: process.env['LADING_TEST_JOB_IMAGE'],
      Entrypoint: ['/usr/local/bin/node', '-e', script],
      Labels: { [LABEL.installation]: installation },
      HostConfig: { NetworkMode: 'none', Memory: MEMORY_BYTES, MemorySwap: MEMORY_BYTES },
    },
  });
  try {
    await engine.start(id);
    act(id);
    await engine.wait(id, AbortSignal.timeout(30_000));
    return await engine.inspect(id);
  } finally {
    await engine.remove(id);
  }
}

test('out of memory is seen where only an event tells of it', async () => {
  const eating = 'const kept = []; for (;;) kept.push(Buffer.alloc(4 << 20, 1))';
  expect(await ended(eating)).toMatchObject({ exitCode: 137, oomKilled: true });
  expect(silenced).toBeGreaterThan(0);
});

test('one that was killed is not taken for it', async () => {
  const waiting = 'setInterval(() => 0, 1000)';
  const state = await ended(waiting, (id) => docker('kill', id));
  expect(state).toMatchObject({ exitCode: 137, oomKilled: false });
});
