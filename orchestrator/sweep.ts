/** Containers that nobody owns any more. */
import type { Logger } from 'pino';
import { ownersOf } from '../sql/attempts.ts';
import type { Pool } from '../sql/pool.ts';
import { LABEL } from './container-spec.ts';
import type { Engine } from './engine/engine.ts';
import { strays } from './repairs.ts';

const STRAY_MIN_AGE_SECONDS = 120;

/** The strays of this engine. Answers what was, or with `dryRun` would be, removed. */
export async function sweep(
  deps: { pool: Pool; engine: Engine; engineName: string; installation: string; log: Logger },
  options: { dryRun: boolean; minAgeSeconds?: number },
): Promise<string[]> {
  const listed = await deps.engine.list({ [LABEL.installation]: deps.installation, [LABEL.engine]: deps.engineName });
  const found = listed.map(({ id, createdAtSeconds, state, labels }) => ({
    id,
    createdAtSeconds,
    state,
    attempt: labels[LABEL.attempt],
    standby: labels[LABEL.standby] !== undefined,
  }));
  // Asked after the listing: an attempt that is open by then owns its container.
  const owners = await ownersOf(
    deps.pool,
    found.map(({ id }) => id),
    found.flatMap(({ attempt }) => attempt ?? []),
  );
  // Ages by the engine's own clock, which wrote when each was made.
  const { nowSeconds } = await deps.engine.host();
  const unowned = strays(found, owners, nowSeconds, options.minAgeSeconds ?? STRAY_MIN_AGE_SECONDS);
  for (const id of unowned) {
    deps.log.warn({ container: id, dryRun: options.dryRun }, 'stray container');
    if (!options.dryRun)
      await deps.engine
        .remove(id)
        .catch((error: unknown) => deps.log.error({ err: error, container: id }, 'stray not removed, trying again'));
  }
  return unowned;
}
