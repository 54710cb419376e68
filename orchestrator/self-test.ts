/**
 * Before an orchestrator takes work it makes one container of each profile and compares, as for a job. A daemon that
 * accepts a limit and ignores it is found at start, with the option's name, and not by the first customer. The image
 * is warm afterwards: the first job does not wait for the disk.
 */
import { randomUUID } from 'node:crypto';
import { containerSpec } from './container-spec.ts';
import type { Engine } from './engine/engine.ts';
import { readSelfReport } from './handshake.ts';
import { hardeningMismatches, type InspectedContainer } from './hardening.ts';
import type { Limits, Profiles } from './profiles.ts';

export class SelfTestError extends Error {
  override name = 'SelfTestError';
}

type Options = { installation: string; engine: string; image: string; egressDir: string };

async function testProfile(engine: Engine, options: Options, profile: string, limits: Limits): Promise<void> {
  const attemptId = randomUUID();
  const spec = containerSpec({ ...options, jobId: attemptId, attemptId, attemptNumber: 1, profile, limits });
  try {
    const id = await engine.create(spec);
    const stdio = await engine.attach(id);
    const [self] = await Promise.all([readSelfReport(stdio), engine.start(id)]);
    const seen = await engine.inspect(id);
    const wrong = hardeningMismatches(spec, seen?.raw as InspectedContainer, self);
    if (wrong.length > 0) throw new SelfTestError(`engine ${options.engine}, profile ${profile}: ${wrong.join('; ')}`);
  } finally {
    await engine.remove(spec.name);
  }
}

/** Throws SelfTestError with everything that is not as asked, EngineError when a container cannot be made at all. */
export async function selfTest(engine: Engine, options: Options & { profiles: Profiles }): Promise<void> {
  const { profiles, ...rest } = options;
  for (const [profile, limits] of profiles) await testProfile(engine, rest, profile, limits);
}
