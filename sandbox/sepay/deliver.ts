import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, fetch } from 'undici';
import { isDelivered, isRetried, RETRY_PAUSES_MINUTES, type AttemptResult } from './judge.ts';
import { authHeaders, type WebhookAuth } from './sign.ts';
import type { Transfer } from './transfer.ts';

const CONNECT_TIMEOUT_MS = 15_000;
const TOTAL_TIMEOUT_MS = 30_000;
const BODY_SHOWN_CHARS = 10_000;
const MINUTE_MS = 60_000;

export type Delivery = {
  transfer: Transfer;
  delivered: boolean;
  attempts: number;
  /** Of the last attempt: null where nobody answered. */
  status: number | null;
  body: string;
};
export type DeliverOptions = {
  webhookUrl: string;
  auth: WebhookAuth;
  /** Factor on SePay's pauses: 1 is real time, 0.001 turns a minute into 60 ms; undefined: automatic retry is off. */
  retryScale: number | undefined;
  /** Ends the pauses. */
  stop: AbortSignal;
};

const agent = new Agent({ connect: { timeout: CONNECT_TIMEOUT_MS } });

async function post({ webhookUrl, auth }: DeliverOptions, rawBody: string): Promise<AttemptResult> {
  const nowSeconds = Math.floor(Date.now() / 1_000);
  try {
    const response = await fetch(webhookUrl, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', ...authHeaders(auth, nowSeconds, rawBody) },
      body: rawBody,
      redirect: 'manual',
      signal: AbortSignal.timeout(TOTAL_TIMEOUT_MS),
      dispatcher: agent,
    });
    return { status: response.status, body: (await response.text()).slice(0, BODY_SHOWN_CHARS) };
  } catch (error) {
    const { message, cause } = error as Error;
    return { unreachable: cause instanceof Error ? `${message}: ${cause.message}` : message };
  }
}

/** One attempt, written into `delivery`. Answers whether SePay would try again. */
async function attempt(delivery: Delivery, options: DeliverOptions): Promise<boolean> {
  const result = await post(options, JSON.stringify(delivery.transfer));
  delivery.attempts += 1;
  delivery.delivered = isDelivered(result);
  delivery.status = 'status' in result ? result.status : null;
  delivery.body = 'status' in result ? result.body : result.unreachable;
  return isRetried(result);
}

/**
 * Delivers as SePay does. `first` resolves after the first attempt, `end` when no more will follow; neither rejects, the
 * outcome stands in `delivery`.
 */
export function deliver(delivery: Delivery, options: DeliverOptions): { first: Promise<void>; end: Promise<void> } {
  const first = attempt(delivery, options);
  const rest = async (): Promise<void> => {
    let isWanted = await first;
    if (options.retryScale === undefined) return;
    for (const minutes of RETRY_PAUSES_MINUTES) {
      if (!isWanted || options.stop.aborted) return;
      const pauseMs = minutes * MINUTE_MS * options.retryScale;
      await sleep(pauseMs, undefined, { signal: options.stop }).catch(() => undefined);
      if (options.stop.aborted) return;
      isWanted = await attempt(delivery, options);
    }
  };
  return { first: first.then(() => undefined), end: rest() };
}
