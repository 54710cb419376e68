import type { Dispatcher } from 'undici';
import { JobEnd } from '../ending.ts';
import { call, headerOf, readBody, type Response } from '../http-call.ts';
import { parseRetryAfter } from '../contract/retry-after.ts';
import { withRetries, type Again, type RetryLimits, type Tried } from '../retry.ts';
import { TunnelRefusedError } from '../tunnel.ts';
import { makeRateGate } from './rate-gate.ts';
import { driveVerdict, isRateLimit, reasonOf, type Verdict } from './verdict.ts';

/** Half a minute of waiting in a row, a minute at most, as Drive asks for; each success starts the count again. */
export const DRIVE_RETRY: RetryLimits = { tries: 8, baseMs: 500, capMs: 32_000, retryAfterMaxSeconds: 32 };

/** A list page of 1,000 files with long names fits; Drive's answers are never larger. */
const ANSWER_MAX_BYTES = 8 * 1024 * 1024;
const HTTP_UNAUTHORIZED = 401;

type SendOptions = Pick<Parameters<typeof call>[1], 'method' | 'headers' | 'body' | 'headersTimeout'>;

export type DriveRequest = {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** From the base of Drive on, `/drive/v3/…` or `/upload/drive/v3/…`. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly json?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** What is asked for, in words for the log. */
  readonly what: string;
};
export type DriveAnswer = { readonly status: number; readonly body: string; readonly location: string | undefined };
/** An exchange that came to an end, with what it means. */
export type DriveReply = DriveAnswer & {
  /** The header, as it came. */
  readonly range: string | undefined;
  readonly verdict: Verdict;
  readonly reason: string | undefined;
  readonly again: Again;
};

export type Drive = {
  readonly retry: RetryLimits;
  /** One exchange, whole, judged and without a token: for upload sessions. Waits where Drive limits the account. */
  readonly exchange: (
    url: string,
    options: SendOptions,
    what: string,
    signal: AbortSignal,
  ) => Promise<Tried<DriveReply>>;
  /** One try. Throws JobEnd for everything that asking again cannot help. */
  once: (request: DriveRequest, signal: AbortSignal) => Promise<Tried<DriveAnswer>>;
  /** With retries; only for requests that may be repeated. Throws JobEnd. */
  call: (request: DriveRequest, signal: AbortSignal) => Promise<DriveAnswer>;
};

export const driveAway = ({ again, retryAfterSeconds }: Again): JobEnd =>
  new JobEnd('drive_unavailable', again, { retryAfterSeconds });

/** Reads an answer of Drive whole and judges it. */
async function readReply(response: Response, what: string, signal: AbortSignal): Promise<Tried<DriveReply>> {
  const { statusCode: status } = response;
  const bytes = await readBody(response, ANSWER_MAX_BYTES).catch(() => 'broken' as const);
  signal.throwIfAborted();
  if (bytes === 'broken' || bytes === undefined) return { again: `${what}: Drive's answer broke off` };
  const body = bytes.toString('utf8');
  const reason = reasonOf(body);
  const again = {
    again: `${what}: Drive answered ${status}${reason === undefined ? '' : ` ${reason}`}`,
    retryAfterSeconds: parseRetryAfter(response.headers['retry-after'], Date.now()),
  };
  return {
    done: {
      status,
      body,
      location: headerOf(response, 'location'),
      range: headerOf(response, 'range'),
      reason,
      verdict: driveVerdict(status, reason),
      again,
    },
  };
}

/** A call into Drive's network; where egress will not let it through, the job has no right to that Drive. */
async function callDrive(url: string, options: Parameters<typeof call>[1]): Promise<Tried<Response>> {
  try {
    return await call(url, options);
  } catch (error) {
    if (error instanceof TunnelRefusedError) throw new JobEnd('drive_denied', error.message, { cause: error });
    throw error;
  }
}

export function makeDrive(options: {
  readonly https: Dispatcher;
  /** Without a trailing slash. */
  readonly apiUrl: string;
  readonly accessToken: string;
  /** A fresh token in place of one that Drive refused. Throws JobEnd. Without it a 401 ends the job. */
  readonly renewToken?: () => Promise<string>;
  readonly retry?: RetryLimits;
}): Drive {
  const { https, apiUrl, renewToken, retry = DRIVE_RETRY } = options;
  const gate = makeRateGate(retry);
  let token = options.accessToken;
  let renewing: Promise<void> | undefined;

  /** Once for all calls that met the same refusal. */
  async function renew(refused: string): Promise<boolean> {
    if (renewToken === undefined) return false;
    if (token !== refused) return true;
    renewing ??= renewToken()
      .then((fresh) => void (token = fresh))
      .finally(() => (renewing = undefined));
    await renewing;
    return true;
  }

  async function exchange(
    url: string,
    sent: SendOptions,
    what: string,
    signal: AbortSignal,
  ): Promise<Tried<DriveReply>> {
    await gate.pass(signal);
    const sentMs = performance.now();
    const tried = await callDrive(url, { ...sent, dispatcher: https, signal });
    if ('again' in tried) return { again: `${what}: ${tried.again}` };
    const reply = await readReply(tried.done, what, signal);
    if ('again' in reply) return reply;
    const { status, reason, again } = reply.done;
    if (isRateLimit(status, reason)) gate.limited(sentMs, again.retryAfterSeconds);
    else gate.passed(sentMs);
    return reply;
  }

  async function ask(request: DriveRequest, bearer: string, signal: AbortSignal): Promise<Tried<DriveReply>> {
    const { method, path, query = {}, json, headers = {}, what } = request;
    const search = new URLSearchParams({ supportsAllDrives: 'true', ...query });
    return await exchange(
      `${apiUrl}${path}?${search.toString()}`,
      {
        method,
        headers: {
          authorization: `Bearer ${bearer}`,
          ...(json === undefined ? {} : { 'content-type': 'application/json; charset=UTF-8' }),
          ...headers,
        },
        body: json === undefined ? null : JSON.stringify(json),
      },
      what,
      signal,
    );
  }

  async function once(request: DriveRequest, signal: AbortSignal): Promise<Tried<DriveAnswer>> {
    const bearer = token;
    let reply = await ask(request, bearer, signal);
    // A refused call did nothing, so that it may be repeated; one more refusal is not about the token's age.
    if ('done' in reply && reply.done.status === HTTP_UNAUTHORIZED && (await renew(bearer)))
      reply = await ask(request, token, signal);
    if ('again' in reply) return reply;
    const { verdict, again } = reply.done;
    if (verdict === 'ok') return { done: reply.done };
    if (verdict === 'again') return again;
    throw new JobEnd(verdict, again.again);
  }

  return {
    retry,
    exchange,
    once,
    call: (request, signal) => withRetries(retry, signal, () => once(request, signal), driveAway),
  };
}
