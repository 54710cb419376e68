/** One signed call to the API, with its repeats: Standard Webhooks 1.0, through the relay of egress. */
import { Webhook } from 'standardwebhooks';
import type { Dispatcher } from 'undici';
import type { JobEnd } from './ending.ts';
import { call, type Response } from './http-call.ts';
import { withRetries, type Again, type RetryLimits, type Tried } from './retry.ts';

export type ApiDoor = { readonly egress: Dispatcher; readonly egressToken: string; readonly attemptKey: string };

export async function postSigned<T>(
  { egress, egressToken, attemptKey }: ApiDoor,
  options: {
    /** One id for all tries: whoever took an earlier one knows the repeat by it. */
    readonly id: string;
    readonly path: string;
    readonly body: unknown;
    /** In words, for the log. */
    readonly what: string;
    readonly retry: RetryLimits;
    readonly awayMaxMs: number;
    readonly read: (response: Response) => Tried<T> | Promise<Tried<T>>;
    readonly exhausted: (last: Again) => JobEnd;
  },
  signal: AbortSignal,
): Promise<T> {
  const { id, path, body, what, retry, awayMaxMs, read, exhausted } = options;
  const webhook = new Webhook(attemptKey);
  const payload = JSON.stringify(body);
  const post = async (): Promise<Tried<T>> => {
    const now = new Date();
    const tried = await call(`http://egress${path}`, {
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
    return 'again' in tried ? { again: `${what}: ${tried.again}` } : await read(tried.done);
  };
  return await withRetries(retry, signal, post, exhausted, awayMaxMs);
}

/** Said by egress where the API does not answer, and by the API where it cannot work. */
export const isApiAway = (status: number): boolean => status === 502 || status === 503 || status === 504;
