/** The signed call that hands the delivered files over. */
import { finalizePath, type FinalizeBody } from './contract/signed-call.ts';
import { JobEnd } from './ending.ts';
import { dropBody, type Response } from './http-call.ts';
import { isApiAway, postSigned, type ApiDoor } from './post-signed.ts';
import { parseRetryAfter } from './contract/retry-after.ts';
import { AWAY_MAX_MS, type RetryLimits, type Tried } from './retry.ts';

/** At most some 27 s of waiting, where the API answers; while it is away the clock counts. */
export const FINALIZE_RETRY: RetryLimits = { tries: 7, baseMs: 500, capMs: 8_000, retryAfterMaxSeconds: 10 };

const REFUSED = new Set([401, 409, 410]);

function readAnswer(response: Response): Tried<void> {
  const { statusCode: status } = response;
  dropBody(response);
  if (status >= 200 && status < 300) return { done: undefined };
  if (REFUSED.has(status)) throw new JobEnd('finalize_refused', `finalize: answered ${status}`);
  const again = {
    again: `finalize: answered ${status}`,
    retryAfterSeconds: parseRetryAfter(response.headers['retry-after'], Date.now()),
    ...(isApiAway(status) ? { isOursAway: true as const } : {}),
  };
  if (status >= 500 || status === 408 || status === 425 || status === 429) return again;
  throw new JobEnd('finalize_unavailable', again.again);
}

/** Throws JobEnd finalize_refused, finalize_unavailable, api_unavailable or egress_unavailable. */
export async function postFinalize(
  options: ApiDoor & {
    readonly body: FinalizeBody;
    readonly retry?: RetryLimits;
    readonly awayMaxMs?: number;
  },
  signal: AbortSignal,
): Promise<void> {
  const { body, retry = FINALIZE_RETRY, awayMaxMs = AWAY_MAX_MS } = options;
  await postSigned(
    options,
    {
      id: `msg_${body.attemptId}`,
      path: finalizePath(body.attemptId),
      body,
      what: 'finalize',
      retry,
      awayMaxMs,
      read: readAnswer,
      exhausted: ({ again, retryAfterSeconds, isOursAway }) =>
        new JobEnd(isOursAway ? 'api_unavailable' : 'finalize_unavailable', again, { retryAfterSeconds }),
    },
    signal,
  );
}
