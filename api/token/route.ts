/**
 * A running job's Drive token ran out. The api can neither mint one nor is it told one: it writes down the wish, and hands
 * on what the orchestrator has sealed for the job.
 */
import type { Router } from '@koa/router';
import { TOKEN_CALL_MAX_BYTES, tokenCallSchema } from '../../job-image/contract/signed-call.ts';
import type { MasterKeys } from '../../keys/master-keys.ts';
import type { Pool } from '../../sql/pool.ts';
import type { State } from '../context.ts';
import { fieldErrors, Problem } from '../problem.ts';
import { parseJson } from '../read-body.ts';
import { readSignedCall } from '../read-signed-call.ts';
import { askToken } from './ask-token.ts';

export function addTokenRoutes(
  router: Router<State>,
  { pool, masterKeys }: { pool: Pool; masterKeys: MasterKeys },
): void {
  router.post('/v1/attempts/:id/token', async (ctx) => {
    const call = await readSignedCall(ctx, masterKeys, TOKEN_CALL_MAX_BYTES);
    const body = tokenCallSchema.safeParse(parseJson(call.raw));
    if (!body.success) throw new Problem('request_invalid', undefined, { errors: fieldErrors(body.error.issues) });
    if (body.data.attemptId !== call.attemptId) throw new Problem('request_invalid', 'speaks of another attempt');
    const { n } = body.data;
    const sealed = await askToken(pool, { ...call, n });
    ctx.state.log.info({ attempt: call.attemptId, n, given: sealed !== undefined }, 'drive token asked for');
    if (sealed === undefined) throw new Problem('token_not_ready', undefined, { headers: { 'Retry-After': '1' } });
    ctx.body = { sealed: sealed.toString('base64') };
  });
}
