import type { Router } from '@koa/router';
import { FINALIZE_MAX_BYTES } from '../../job-image/contract/signed-call.ts';
import type { Pool } from '../../sql/pool.ts';
import type { Context, State } from '../context.ts';
import type { Metrics } from '../metrics.ts';
import { Problem } from '../problem.ts';
import { parseJson, readBody } from '../read-body.ts';
import { acceptManifest } from './accept-manifest.ts';
import { parseManifest } from './manifest.ts';
import { isSignedByAttempt, signedHeaders } from './signed-by-attempt.ts';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

export type FinalizeDeps = { pool: Pool; masterKey: Buffer; metrics: Metrics };

async function finalize(ctx: Context, { pool, masterKey }: FinalizeDeps): Promise<'accepted' | 'repeat'> {
  const attemptId = ctx.params['id'] ?? '';
  const headers = signedHeaders((name) => ctx.get(name));
  // Before megabytes are read for nobody.
  if (!UUID.test(attemptId) || !headers) throw new Problem('attempt_call_not_authentic');
  const raw = await readBody(ctx.req, FINALIZE_MAX_BYTES);
  if (!isSignedByAttempt(masterKey, attemptId, headers, raw)) throw new Problem('attempt_call_not_authentic');
  const manifest = parseManifest(parseJson(raw), attemptId);
  const { result, jobId } = await acceptManifest(pool, { attemptId, webhookId: headers.id, raw, manifest });
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
