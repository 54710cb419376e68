/** The signed call that hands the delivered files over: Standard Webhooks 1.0, through the relay of egress. */
import { Webhook } from 'standardwebhooks';
import type { Dispatcher } from 'undici';
import { finalizePath, type FinalizeBody } from './contract/signed-call.ts';
import { JobEnd } from './ending.ts';
import { call, dropBody, type Response } from './http-call.ts';
import { AWAY_MAX_MS, parseRetryAfter, withRetries, type RetryLimits, type Tried } from './retry.ts';

/** At most some 27 s of waiting, where the API answers; while it is away the clock counts. */
export const FINALIZE_RETRY: RetryLimits = { tries: 7, baseMs: 500, capMs: 8_000, retryAfterMaxSeconds: 10 };

const REFUSED = new Set([401, 409, 410]);
/** Said by egress where the API does not answer, and by the API where it cannot work. */
const AWAY = new Set([502, 503, 504]);

function readAnswer(response: Response): Tried<void> {
  const { statusCode: status } = response;
  dropBody(response);
  if (status >= 200 && status < 300) return { done: undefined };
  if (REFUSED.has(status)) throw new JobEnd('finalize_refused', `finalize: answered ${status}`);
  const again = {
    again: `finalize: answered ${status}`,
    retryAfterSeconds: parseRetryAfter(response.headers['retry-after'], Date.now()),
    ...(AWAY.has(status) ? { isOursAway: true as const } : {}),
  };
  if (status >= 500 || status === 408 || status === 425 || status === 429) return again;
  throw new JobEnd('finalize_unavailable', again.again);
}

/** Throws JobEnd finalize_refused, finalize_unavailable, api_unavailable or egress_unavailable. */
export async function postFinalize(
  options: {
    readonly egress: Dispatcher;
    readonly egressToken: string;
    readonly attemptKey: string;
    readonly body: FinalizeBody;
    readonly retry?: RetryLimits;
    readonly awayMaxMs?: number;
  },
  signal: AbortSignal,
): Promise<void> {
  const { egress, egressToken, attemptKey, body, retry = FINALIZE_RETRY, awayMaxMs = AWAY_MAX_MS } = options;
  const webhook = new Webhook(attemptKey);
  const payload = JSON.stringify(body);
  // One id for all tries: whoever took an earlier one knows the repeat by it.
  const id = `msg_${body.attemptId}`;
  const post = async (): Promise<Tried<void>> => {
    const now = new Date();
    const tried = await call(`http://egress${finalizePath(body.attemptId)}`, {
      method: 'POST',
      dispatcher: egress,
      headers: {
        'content-type': 'application/json',
        'proxy-authorization': `Bearer ${egressToken}`,
        'webhook-id': id,
        'webhook-timestamp': String(Math.floor(now.getTime() / 1_000)),
        'webhook-signature': webhook.sign(id, now, payload),
      },
      body: payload,
      signal,
    });
    return 'again' in tried ? { again: `finalize: ${tried.again}` } : readAnswer(tried.done);
  };
  await withRetries(
    retry,
    signal,
    post,
    ({ again, retryAfterSeconds, isOursAway }) =>
      new JobEnd(isOursAway ? 'api_unavailable' : 'finalize_unavailable', again, { retryAfterSeconds }),
    awayMaxMs,
  );
}
