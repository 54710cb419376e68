import type { Dispatcher } from 'undici';
import { JobEnd } from '../ending.ts';
import { call, headerOf, readBody, type Response } from '../http-call.ts';
import { parseRetryAfter, withRetries, type Again, type RetryLimits, type Tried } from '../retry.ts';
import { TunnelRefusedError } from '../tunnel.ts';
import { driveVerdict, reasonOf, type Verdict } from './verdict.ts';

/** At most some 15 s of waiting in a row; each success starts the count again. */
export const DRIVE_RETRY: RetryLimits = { tries: 6, baseMs: 500, capMs: 8_000, retryAfterMaxSeconds: 10 };

/** A list page of 1,000 files with long names fits; Drive's answers are never larger. */
const ANSWER_MAX_BYTES = 8 * 1024 * 1024;

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
  readonly verdict: Verdict;
  readonly reason: string | undefined;
  readonly again: Again;
};

export type Drive = {
  readonly https: Dispatcher;
  readonly retry: RetryLimits;
  /** One try. Throws JobEnd for everything that asking again cannot help. */
  once: (request: DriveRequest, signal: AbortSignal) => Promise<Tried<DriveAnswer>>;
  /** With retries; only for requests that may be repeated. Throws JobEnd. */
  call: (request: DriveRequest, signal: AbortSignal) => Promise<DriveAnswer>;
};

export const driveAway = ({ again, retryAfterSeconds }: Again): JobEnd =>
  new JobEnd('drive_unavailable', again, { retryAfterSeconds });

/** Reads an answer of Drive whole and judges it; shared with the upload sessions, which have no token. */
export async function readReply(response: Response, what: string, signal: AbortSignal): Promise<Tried<DriveReply>> {
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
      reason,
      verdict: driveVerdict(status, reason),
      again,
    },
  };
}

/** A call into Drive's network; where egress will not let it through, the job has no right to that Drive. */
export async function callDrive(url: string, options: Parameters<typeof call>[1]): Promise<Tried<Response>> {
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
  readonly retry?: RetryLimits;
}): Drive {
  const { https, apiUrl, accessToken, retry = DRIVE_RETRY } = options;

  async function once(request: DriveRequest, signal: AbortSignal): Promise<Tried<DriveAnswer>> {
    const { method, path, query = {}, json, headers = {}, what } = request;
    const search = new URLSearchParams({ supportsAllDrives: 'true', ...query });
    const tried = await callDrive(`${apiUrl}${path}?${search.toString()}`, {
      method,
      dispatcher: https,
      headers: {
        authorization: `Bearer ${accessToken}`,
        ...(json === undefined ? {} : { 'content-type': 'application/json; charset=UTF-8' }),
        ...headers,
      },
      body: json === undefined ? null : JSON.stringify(json),
      signal,
    });
    if ('again' in tried) return { again: `${what}: ${tried.again}` };
    const reply = await readReply(tried.done, what, signal);
    if ('again' in reply) return reply;
    const { verdict, again } = reply.done;
    if (verdict === 'ok') return { done: reply.done };
    if (verdict === 'again') return again;
    throw new JobEnd(verdict, again.again);
  }

  return {
    https,
    retry,
    once,
    call: (request, signal) => withRetries(retry, signal, () => once(request, signal), driveAway),
  };
}
