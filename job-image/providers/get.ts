/** GET towards a provider: redirects are followed a few times, over https only, and a bearer never leaves its origin. */
import type { Dispatcher } from 'undici';
import { JobEnd } from '../ending.ts';
import { call, dropBody, headerOf, readBody, type Response } from '../http-call.ts';
import { parseRetryAfter } from '../contract/retry-after.ts';
import { withRetries, type Again, type RetryLimits, type Tried } from '../retry.ts';
import { TunnelRefusedError } from '../tunnel.ts';

export const REDIRECTS_MAX = 5;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
const HTTP_UNAUTHORIZED = 401;
const HTTP_FORBIDDEN = 403;

export type Get = (
  url: URL,
  headers: Readonly<Record<string, string>>,
  what: string,
  signal: AbortSignal,
) => Promise<Tried<Response>>;

/** What an answer other than the one hoped for means. Throws JobEnd where asking again cannot help. */
export function refusalOf(response: Response, what: string): Again {
  const { statusCode: status } = response;
  dropBody(response);
  if (status === HTTP_UNAUTHORIZED || status === HTTP_FORBIDDEN)
    throw new JobEnd('provider_denied', `${what}: provider answered ${status}`);
  if (status === 408 || status === 425 || status === 429 || status >= 500)
    return {
      again: `${what}: provider answered ${status}`,
      retryAfterSeconds: parseRetryAfter(response.headers['retry-after'], Date.now()),
    };
  throw new JobEnd('manifest_invalid', `${what}: provider answered ${status}`);
}

/** `url` as one that may be asked; undefined for anything but plain https. */
export function plainHttps(url: string, base?: string | URL): URL | undefined {
  const resolved = URL.parse(url, base?.toString());
  return resolved?.protocol === 'https:' && resolved.username === '' && resolved.password === '' ? resolved : undefined;
}

/**
 * `bearer` goes to `origin` and to no other, whoever redirects where. Private addresses and hosts that are not on the
 * profile's list are refused by egress, for every hop alike. The result throws JobEnd provider_denied then, and
 * manifest_invalid for a redirect that must not be followed.
 */
export function makeGet(options: { https: Dispatcher; origin: string; bearer: string | undefined }): Get {
  const { https, origin, bearer } = options;
  return async (first, headers, what, signal) => {
    let url = first;
    for (let hop = 0; ; hop += 1) {
      const authorization: Record<string, string> =
        bearer !== undefined && url.origin === origin ? { authorization: `Bearer ${bearer}` } : {};
      const tried = await call(url.href, {
        method: 'GET',
        dispatcher: https,
        headers: { 'accept-encoding': 'identity', ...headers, ...authorization },
        signal,
      }).catch((error: unknown) => {
        if (error instanceof TunnelRefusedError) throw new JobEnd('provider_denied', error.message, { cause: error });
        throw error;
      });
      if ('again' in tried || !REDIRECTS.has(tried.done.statusCode)) return tried;
      const next = plainHttps(headerOf(tried.done, 'location') ?? '', url);
      dropBody(tried.done);
      if (next === undefined) throw new JobEnd('manifest_invalid', `${what}: redirected to no plain https address`);
      if (hop >= REDIRECTS_MAX)
        throw new JobEnd('manifest_invalid', `${what}: redirected more than ${REDIRECTS_MAX} times`);
      url = next;
    }
  };
}

/** A whole document of at most `maxBytes`, with retries. Throws JobEnd. */
export const getDocument = (
  get: Get,
  url: URL,
  options: { what: string; maxBytes: number; retry: RetryLimits; headers?: Record<string, string> },
  signal: AbortSignal,
): Promise<Buffer> => {
  const { what, maxBytes, retry, headers = {} } = options;
  return withRetries(
    retry,
    signal,
    async (): Promise<Tried<Buffer>> => {
      const tried = await get(url, headers, what, signal);
      if ('again' in tried) return { again: `${what}: ${tried.again}` };
      if (tried.done.statusCode !== 200) return refusalOf(tried.done, what);
      const body = await readBody(tried.done, maxBytes).catch(() => 'broken' as const);
      signal.throwIfAborted();
      if (body === 'broken') return { again: `${what}: the connection broke` };
      if (body === undefined) throw new JobEnd('manifest_invalid', `${what}: more than ${maxBytes} bytes`);
      return { done: body };
    },
    ({ again, retryAfterSeconds }) => new JobEnd('provider_unavailable', again, { retryAfterSeconds }),
  );
};

export function parseJson(body: Buffer, what: string): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch (cause) {
    throw new JobEnd('manifest_invalid', `${what}: not JSON`, { cause });
  }
}
