import type { Router } from '@koa/router';
import { FINALIZE_MAX_BYTES } from '../../job-image/contract/signed-call.ts';
import type { MasterKeys } from '../../keys/master-keys.ts';
import type { Pool } from '../../sql/pool.ts';
import type { Context, State } from '../context.ts';
import type { Metrics } from '../metrics.ts';
import { Problem } from '../problem.ts';
import { parseJson } from '../read-body.ts';
import { readSignedCall } from '../read-signed-call.ts';
import { acceptManifest } from './accept-manifest.ts';
import { parseManifest } from './manifest.ts';

export type FinalizeDeps = { pool: Pool; masterKeys: MasterKeys; metrics: Metrics };

async function finalize(ctx: Context, { pool, masterKeys }: FinalizeDeps): Promise<'accepted' | 'repeat'> {
  const call = await readSignedCall(ctx, masterKeys, FINALIZE_MAX_BYTES);
  const { attemptId } = call;
  const manifest = parseManifest(parseJson(call.raw), attemptId);
  const { result, jobId } = await acceptManifest(pool, { ...call, manifest });
  ctx.state.log.info({ attempt: attemptId, job: jobId, files: manifest.files.length, result }, 'attempt finalized');
  return result;
}

export function addFinalizeRoutes(router: Router<State>, deps: FinalizeDeps): void {
  router.post('/v1/attempts/:id/finalize', async (ctx) => {
    try {
      deps.metrics.finalizations.inc({ result: await finalize(ctx, deps) });
    } catch (error) {
      deps.metrics.finalizations.inc({ result: error instanceof Problem ? error.code : 'internal' });
      throw error;
    }
    ctx.body = { accepted: true };
  });
}
