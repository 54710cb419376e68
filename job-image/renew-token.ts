/** The signed call for a fresh Drive token: the one of the envelope is good for an hour, a job may run for longer. */
import { openToken } from './contract/sealed-token.ts';
import { tokenAnswerSchema, tokenPath, TOKENS_MAX } from './contract/signed-call.ts';
import { JobEnd } from './ending.ts';
import { FINALIZE_RETRY } from './finalize.ts';
import { dropBody, readBody, type Response } from './http-call.ts';
import { isApiAway, postSigned, type ApiDoor } from './post-signed.ts';
import { parseRetryAfter } from './contract/retry-after.ts';
import { AWAY_MAX_MS, type RetryLimits, type Tried } from './retry.ts';

const ANSWER_MAX_BYTES = 64 * 1024;

async function readAnswer(response: Response): Promise<Tried<Buffer>> {
  const { statusCode: status } = response;
  if (status === 200) {
    const body = await readBody(response, ANSWER_MAX_BYTES).catch(() => undefined);
    if (body === undefined) return { again: 'token: the answer broke off' };
    return { done: body };
  }
  dropBody(response);
  const again = {
    again: `token: answered ${status}`,
    retryAfterSeconds: parseRetryAfter(response.headers['retry-after'], Date.now()),
    ...(isApiAway(status) ? { isOursAway: true as const } : {}),
  };
  if (status >= 500 || status === 408 || status === 429) return again;
  throw new JobEnd('drive_unavailable', again.again);
}

/** Undefined where the answer is not what only this job can open. */
function tokenIn(body: Buffer, attemptKey: string, attemptId: string, n: number): string | undefined {
  try {
    const { sealed } = tokenAnswerSchema.parse(JSON.parse(body.toString('utf8')));
    return openToken(attemptKey, { attemptId, n }, Buffer.from(sealed, 'base64'));
  } catch {
    return undefined;
  }
}

/**
 * A function that asks for the next token, at most TOKENS_MAX times. `onToken` hears of each before anything can print it.
 * It throws JobEnd drive_unavailable, api_unavailable or egress_unavailable.
 */
export function makeRenewToken(
  door: ApiDoor,
  options: {
    readonly attemptId: string;
    readonly onToken: (token: string) => void;
    readonly retry?: RetryLimits;
    readonly awayMaxMs?: number;
  },
  signal: AbortSignal,
): () => Promise<string> {
  const { attemptId, onToken, retry = FINALIZE_RETRY, awayMaxMs = AWAY_MAX_MS } = options;
  let n = 0;
  return async () => {
    if (n >= TOKENS_MAX) throw new JobEnd('drive_unavailable', `Drive refused ${TOKENS_MAX} fresh tokens`);
    n += 1;
    const body = await postSigned(
      door,
      {
        id: `msg_${attemptId}_token_${n}`,
        path: tokenPath(attemptId),
        body: { type: 'attempt.token', attemptId, n },
        what: 'token',
        retry,
        awayMaxMs,
        read: readAnswer,
        exhausted: ({ again, retryAfterSeconds, isOursAway }) =>
          new JobEnd(isOursAway ? 'api_unavailable' : 'drive_unavailable', again, { retryAfterSeconds }),
      },
      signal,
    );
    const token = tokenIn(body, door.attemptKey, attemptId, n);
    if (token === undefined) throw new JobEnd('drive_unavailable', 'token: not sealed for this attempt');
    onToken(token);
    return token;
  };
}
