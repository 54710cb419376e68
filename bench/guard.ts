/** What a call to the engine costs through the guard, beside the same call straight to it, in turns. */
import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { containerSpec } from '../orchestrator/container-spec.ts';
import { makeDockerEngine } from '../orchestrator/engine/docker.ts';
import type { Engine } from '../orchestrator/engine/engine.ts';
import { makeProfiles } from '../orchestrator/profiles.ts';
import { startProcess } from '../sandbox/process.ts';
import { rounded, spreadOf } from './statistics.ts';
import { jobImageId } from './world.ts';

const WARM_UP = 20;

async function msOf(act: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await act();
  return performance.now() - began;
}

export async function benchGuard(options: { calls: number; dockerHost: string }) {
  const dir = mkdtempSync(join(tmpdir(), 'lading-bench-guard-'));
  const egressDir = join(dir, 'egress');
  mkdirSync(egressDir);
  const installation = `bench-${randomUUID().slice(0, 8)}`;
  const image = jobImageId();
  const socket = join(dir, 'guard.sock');
  const guard = await startProcess({
    name: 'guard',
    script: fileURLToPath(new URL('../guard/main.ts', import.meta.url)),
    env: {
      GUARD_SOCKET: socket,
      DOCKER_HOST: options.dockerHost,
      INSTALLATION: installation,
      ENGINE_NAME: 'local',
      JOB_IMAGE: image,
      EGRESS_DIR: egressDir,
    },
    logPath: join(dir, 'guard.log'),
  });
  const engines = {
    straight: makeDockerEngine(options.dockerHost),
    guarded: makeDockerEngine(`unix://${socket}`),
  };
  const profiles = makeProfiles({});
  const limits = profiles.get('standard');
  if (!limits) throw new Error('there is no profile standard');
  const specOf = () => {
    const use = { jobId: randomUUID(), attemptId: randomUUID(), attemptNumber: 1 };
    return containerSpec({ installation, engine: 'local', use, profile: 'standard', limits, image, egressDir });
  };
  const acts: Record<string, (engine: Engine) => Promise<number>> = {
    inspect: (engine) => msOf(() => engine.inspect(standing)),
    create: async (engine) => {
      let id = '';
      const ms = await msOf(async () => (id = await engine.create(specOf())));
      await engine.remove(id);
      return ms;
    },
  };
  let standing = '';
  try {
    await Promise.all(Object.values(engines).map((engine) => engine.ping()));
    standing = await engines.straight.create(specOf());
    const result: Record<string, object> = {};
    for (const [name, act] of Object.entries(acts)) {
      const ms: Record<keyof typeof engines, number[]> = { straight: [], guarded: [] };
      for (let n = 0; n < options.calls + WARM_UP; n += 1)
        // In turns, so that what else the machine does falls on both.
        for (const which of ['straight', 'guarded'] as const) {
          const took = await act(engines[which]);
          if (n >= WARM_UP) ms[which].push(took);
        }
      const [straight, guarded] = [spreadOf(ms.straight), spreadOf(ms.guarded)];
      result[name] = { overhead_ms: rounded(guarded.p50 - straight.p50), straight_ms: straight, guarded_ms: guarded };
    }
    return result;
  } finally {
    if (standing !== '') await engines.straight.remove(standing);
    await guard.stop();
    rmSync(dir, { recursive: true });
  }
}
