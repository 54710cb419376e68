import type { Context } from './context.ts';
import { Problem } from './problem.ts';
import { readBody } from './read-body.ts';
import { isSignedByAttempt, signedHeaders } from './signed-by-attempt.ts';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

export type SignedCall = { attemptId: string; webhookId: string; raw: Buffer };

/** The body of a call to `/v1/attempts/:id/…`, once its signature holds. Throws Problem. */
export async function readSignedCall(ctx: Context, masterKey: Buffer, maxBytes: number): Promise<SignedCall> {
  const attemptId = ctx.params['id'] ?? '';
  const headers = signedHeaders((name) => ctx.get(name));
  // Before megabytes are read for nobody.
  if (!UUID.test(attemptId) || !headers) throw new Problem('attempt_call_not_authentic');
  const raw = await readBody(ctx.req, maxBytes);
  if (!isSignedByAttempt(masterKey, attemptId, headers, raw)) throw new Problem('attempt_call_not_authentic');
  return { attemptId, webhookId: headers.id, raw };
}
