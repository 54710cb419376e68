/** A running job keeps the upload sessions of its large files here, sealed, for the attempt that may come after it. */
import type { Router } from '@koa/router';
import { PROGRESS_CALL_MAX_BYTES, progressCallId, progressCallSchema } from '../../job-image/contract/signed-call.ts';
import type { MasterKeys } from '../../keys/master-keys.ts';
import type { Pool } from '../../sql/pool.ts';
import type { State } from '../context.ts';
import { fieldErrors, Problem } from '../problem.ts';
import { parseJson } from '../read-body.ts';
import { readSignedCall } from '../read-signed-call.ts';
import { keepProgress } from './keep-progress.ts';

export function addProgressRoutes(
  router: Router<State>,
  { pool, masterKeys }: { pool: Pool; masterKeys: MasterKeys },
): void {
  router.post('/v1/attempts/:id/progress', async (ctx) => {
    const call = await readSignedCall(ctx, masterKeys, PROGRESS_CALL_MAX_BYTES);
    const body = progressCallSchema.safeParse(parseJson(call.raw));
    if (!body.success) throw new Problem('request_invalid', undefined, { errors: fieldErrors(body.error.issues) });
    const told = body.data;
    if (told.attemptId !== call.attemptId) throw new Problem('request_invalid', 'speaks of another attempt');
    if (call.webhookId !== progressCallId(told.attemptId, told.n))
      throw new Problem('request_invalid', 'the webhook id is not that of this call');
    const repeated = [told.keep, told.confirmed].find(
      (list) => new Set(list.map((one) => one.path)).size < list.length,
    );
    if (repeated !== undefined) throw new Problem('request_invalid', 'a file stands there twice');
    const sessions = await keepProgress(pool, { ...call, told });
    ctx.state.log.info(
      { attempt: call.attemptId, n: told.n, kept: told.keep.length, recalled: sessions.length },
      'progress kept',
    );
    ctx.body = { sessions };
  });
}
