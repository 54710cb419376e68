/** The engine this process runs containers on: proven to keep what it promises, and made known with its capacity. */
import { statfs } from 'node:fs/promises';
import type { Logger } from 'pino';
import { quarantineEngine, recordDiskFree, registerEngine, releaseEngine, roomOn } from '../sql/engines.ts';
import type { Pool } from '../sql/pool.ts';
import type { Config } from './config.ts';
import { makeDockerEngine } from './engine/docker.ts';
import { EngineError } from './engine/engine.ts';
import { watchEngine, type WatchedEngine } from './engine/watched.ts';
import type { Metrics } from './metrics.ts';
import { selfTest } from './self-test.ts';

/** What is left of the engine's memory belongs to the host's own processes. */
const MEMORY_SHARE = 0.8;

export type OwnEngine = {
  engine: WatchedEngine;
  /** Id of the job image. */
  image: string;
  /** Free bytes where the engine keeps its containers. */
  diskFreeBytes: () => Promise<number>;
};

/** Puts the engine into quarantine while it is silent to this process. Throws EngineError where the image is missing. */
function watch(config: Config, deps: { pool: Pool; log: Logger; metrics: Metrics; onChange: () => void }) {
  const { pool, log, metrics, onChange } = deps;
  const { name } = config.engine;
  const note = (what: string, work: Promise<unknown>): void =>
    void work.catch((error: unknown) => log.warn({ err: error }, what));
  return watchEngine(makeDockerEngine(config.engine.dockerHost), {
    onSilent: (reason) => {
      metrics.quarantined.set(1);
      log.error({ engine: name, reason }, 'engine does not answer, quarantined');
      note('quarantine not written', quarantineEngine(pool, name, reason));
    },
    onAnswering: () => {
      metrics.quarantined.set(0);
      log.info({ engine: name }, 'engine answers again');
      note('quarantine not lifted', releaseEngine(pool, name).then(onChange));
    },
  });
}

export async function openOwnEngine(
  config: Config,
  deps: { pool: Pool; log: Logger; metrics: Metrics; onChange: () => void },
): Promise<OwnEngine> {
  const { pool, metrics } = deps;
  const { name, slots, launchesMax, diskFloorBytes, diskPath, memoryBytes } = config.engine;
  const engine = watch(config, deps);
  await engine.ping();
  const image = await engine.imageId(config.jobImage);
  if (image === undefined) throw new EngineError('image_missing', `the engine has no image ${config.jobImage}`);
  const { installation, profiles, egressDir } = config;
  await selfTest(engine, { installation, engine: name, profiles, image, egressDir });
  await registerEngine(pool, name, {
    slots,
    launchesMax,
    memoryBytes: memoryBytes ?? Math.floor((await engine.host()).memoryBytes * MEMORY_SHARE),
    diskFloorBytes,
    profiles: Object.fromEntries([...profiles].map(([profile, limits]) => [profile, limits.memoryBytes])),
  });
  metrics.slots.set(slots);
  metrics.diskFloor.set(diskFloorBytes);
  const diskFreeBytes = async (): Promise<number> => {
    const { bavail, bsize } = await statfs(diskPath);
    metrics.diskFree.set(bavail * bsize);
    return bavail * bsize;
  };
  await recordDiskFree(pool, name, await diskFreeBytes());
  await releaseEngine(pool, name);
  metrics.slotsFree.set((await roomOn(pool, name)).free);
  return { engine, image, diskFreeBytes };
}
