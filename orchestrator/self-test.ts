/**
 * Before an orchestrator takes work it makes one container of each profile and compares, as for a job. A daemon that
 * accepts a limit and ignores it is found at start, with the option's name, and not by the first customer. The image
 * is warm afterwards: the first job does not wait for the disk.
 */
import { randomUUID } from 'node:crypto';
import { containerSpec } from './container-spec.ts';
import type { Engine } from './engine/engine.ts';
import { openContainer } from './handshake.ts';
import type { Limits, Profiles } from './profiles.ts';

export class SelfTestError extends Error {
  override name = 'SelfTestError';
}

type Options = { installation: string; engine: string; image: string; egressDir: string };

async function testProfile(engine: Engine, options: Options, profile: string, limits: Limits): Promise<void> {
  const spec = containerSpec({ ...options, use: { standbyOf: 'self-test', id: randomUUID() }, profile, limits });
  try {
    const opened = await openContainer(engine, spec, await engine.create(spec));
    if (!opened.ok) throw new SelfTestError(`engine ${options.engine}, profile ${profile}: ${opened.detail}`);
    opened.waiting.stdio.destroy();
  } finally {
    await engine.remove(spec.name);
  }
}

/** Throws SelfTestError with everything that is not as asked, EngineError when a container cannot be made at all. */
export async function selfTest(engine: Engine, options: Options & { profiles: Profiles }): Promise<void> {
  const { profiles, ...rest } = options;
  for (const [profile, limits] of profiles) await testProfile(engine, rest, profile, limits);
}
