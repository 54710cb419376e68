import type { Dispatcher } from 'undici';
import { JobEnd } from '../ending.ts';
import { call, dropBody, headerOf, readBody, type Response } from '../http-call.ts';
import { parseRetryAfter, withRetries, type RetryLimits, type Tried } from '../retry.ts';
import { TunnelRefusedError } from '../tunnel.ts';
import { isStreamContainer, readManifest, type ManifestFile } from './manifest-format.ts';
import { openedAt } from './partial-content.ts';
import type { OpenSource, Position, Provider, SourceFile } from './provider.ts';

const MANIFEST_MAX_BYTES = 8 * 1024 * 1024;

/** At most some 7.5 s of waiting in all, so that a provider that is away ends the attempt while it is still worth a retry. */
export const PROVIDER_RETRY: RetryLimits = { tries: 5, baseMs: 500, capMs: 4_000, retryAfterMaxSeconds: 5 };

type Options = {
  readonly https: Dispatcher;
  readonly manifestUrl: string;
  /** Sent to the origin of the manifest and to no other. */
  readonly bearer: string | undefined;
  readonly retry?: RetryLimits;
};

/** What an answer other than the one hoped for means. Throws JobEnd where asking again cannot help. */
function refusalOf(response: Response, what: string): { again: string; retryAfterSeconds: number | undefined } {
  const { statusCode: status } = response;
  dropBody(response);
  if (status === 401 || status === 403) throw new JobEnd('provider_denied', `${what}: provider answered ${status}`);
  if (status === 408 || status === 425 || status === 429 || status >= 500)
    return {
      again: `${what}: provider answered ${status}`,
      retryAfterSeconds: parseRetryAfter(response.headers['retry-after'], Date.now()),
    };
  // 404 and 410, and with them redirects, which are not followed: the manifest names places, not ways.
  throw new JobEnd('manifest_invalid', `${what}: provider answered ${status}`);
}

export function makeManifestProvider({ https, manifestUrl, bearer, retry = PROVIDER_RETRY }: Options): Provider {
  const { origin } = new URL(manifestUrl);
  const urls = new Map<string, URL>();

  async function get(url: URL, headers: Record<string, string>, signal: AbortSignal): Promise<Tried<Response>> {
    const authorization: Record<string, string> =
      bearer !== undefined && url.origin === origin ? { authorization: `Bearer ${bearer}` } : {};
    try {
      return await call(url.href, {
        method: 'GET',
        dispatcher: https,
        headers: { 'accept-encoding': 'identity', ...headers, ...authorization },
        signal,
      });
    } catch (error) {
      if (error instanceof TunnelRefusedError) throw new JobEnd('provider_denied', error.message, { cause: error });
      throw error;
    }
  }

  async function fetchManifest(signal: AbortSignal): Promise<Tried<ManifestFile[]>> {
    const tried = await get(new URL(manifestUrl), { accept: 'application/json' }, signal);
    if ('again' in tried) return { again: `manifest: ${tried.again}` };
    if (tried.done.statusCode !== 200) return refusalOf(tried.done, 'manifest');
    const body = await readBody(tried.done, MANIFEST_MAX_BYTES).catch(() => 'broken' as const);
    signal.throwIfAborted();
    if (body === 'broken') return { again: 'manifest: the connection broke' };
    if (body === undefined) throw new JobEnd('manifest_invalid', `manifest: more than ${MANIFEST_MAX_BYTES} bytes`);
    return { done: readManifest(parseJson(body), manifestUrl) };
  }

  async function open(file: SourceFile, at: Position, signal: AbortSignal): Promise<Tried<OpenSource>> {
    const url = urls.get(file.path);
    if (url === undefined) throw new TypeError(`${file.path} was not listed`);
    const what = JSON.stringify(file.path);
    const range: Record<string, string> = at.offset === 0 ? {} : { range: `bytes=${at.offset}-` };
    const tried = await get(url, range, signal);
    if ('again' in tried) return { again: `${what}: ${tried.again}` };
    const response = tried.done;
    if (![200, 206, 416].includes(response.statusCode)) return refusalOf(response, what);
    if (isStreamContainer('', headerOf(response, 'content-type'))) {
      dropBody(response);
      throw new JobEnd('protected_content', `${what} is a stream whose protection is unknown`);
    }
    return { done: openedAt(response, file, at) };
  }

  return {
    retry,
    open,
    list: async (signal) => {
      const files = await withRetries(
        retry,
        signal,
        () => fetchManifest(signal),
        ({ again, retryAfterSeconds }) => new JobEnd('provider_unavailable', again, { retryAfterSeconds }),
      );
      for (const { path, url } of files) urls.set(path, url);
      return files;
    },
  };
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch (cause) {
    throw new JobEnd('manifest_invalid', 'manifest: not JSON', { cause });
  }
}
