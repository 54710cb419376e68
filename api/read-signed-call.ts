import type { MasterKeys } from '../keys/master-keys.ts';
import type { Context } from './context.ts';
import { Problem } from './problem.ts';
import { readBody } from './read-body.ts';
import { signedByAttempt, signedHeaders } from './signed-by-attempt.ts';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

export type SignedCall = { attemptId: string; webhookId: string; raw: Buffer; keyId: string };

/** The body of a call to `/v1/attempts/:id/…`, once its signature holds. Throws Problem. */
export async function readSignedCall(ctx: Context, masterKeys: MasterKeys, maxBytes: number): Promise<SignedCall> {
  const attemptId = ctx.params['id'] ?? '';
  const headers = signedHeaders((name) => ctx.get(name));
  // Before megabytes are read for nobody.
  if (!UUID.test(attemptId) || !headers) throw new Problem('attempt_call_not_authentic');
  const raw = await readBody(ctx.req, maxBytes);
  const keyId = signedByAttempt(masterKeys, attemptId, headers, raw);
  if (keyId === undefined) throw new Problem('attempt_call_not_authentic');
  return { attemptId, webhookId: headers.id, raw, keyId };
}
