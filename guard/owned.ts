import { z } from 'zod';
import { LABEL } from '../orchestrator/container-spec.ts';
import type { Upstream } from './upstream.ts';

/** The oldest goes: it is asked for again. */
const REMEMBERED_MAX = 10_000;
const inspected = z.object({
  Id: z.string().regex(/^[0-9a-f]{64}$/),
  Config: z.object({ Labels: z.record(z.string(), z.string()).nullish() }),
});

export type Owned = {
  /** The id of a container of ours, by id or name; undefined where there is none. Rejects as `upstream`. */
  idOf: (container: string) => Promise<{ id: string } | 'foreign' | undefined>;
};

/** An id is given to one container for ever, and its labels are what it was made with: so a yes may be remembered. */
export function makeOwned(
  upstream: Upstream,
  { installation, engine, apiVersion }: { installation: string; engine: string; apiVersion: string },
): Owned {
  const ours = new Set<string>();
  return {
    idOf: async (container) => {
      if (ours.has(container)) return { id: container };
      const { status, json } = await upstream.ask(`/v${apiVersion}/containers/${container}/json`);
      if (status === 404) return undefined;
      const seen = inspected.safeParse(json);
      const labels = seen.data?.Config.Labels ?? {};
      if (!seen.success || labels[LABEL.installation] !== installation || labels[LABEL.engine] !== engine)
        return 'foreign';
      ours.add(seen.data.Id);
      for (const oldest of ours) {
        if (ours.size <= REMEMBERED_MAX) break;
        ours.delete(oldest);
      }
      return { id: seen.data.Id };
    },
  };
}
