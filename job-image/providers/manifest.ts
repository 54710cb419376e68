import type { Dispatcher } from 'undici';
import { JobEnd } from '../ending.ts';
import { dropBody, headerOf } from '../http-call.ts';
import type { RetryLimits, Tried } from '../retry.ts';
import { getDocument, makeGet, parseJson, refusalOf } from './get.ts';
import { isStreamContainer, readManifest } from './manifest-format.ts';
import { openedAt, rangeFrom } from './partial-content.ts';
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

export function makeManifestProvider({ https, manifestUrl, bearer, retry = PROVIDER_RETRY }: Options): Provider {
  const get = makeGet({ https, origin: new URL(manifestUrl).origin, bearer });
  const urls = new Map<string, URL>();

  async function open(file: SourceFile, at: Position, signal: AbortSignal): Promise<Tried<OpenSource>> {
    const url = urls.get(file.path);
    if (url === undefined) throw new TypeError(`${file.path} was not listed`);
    const what = JSON.stringify(file.path);
    const range = rangeFrom(at);
    const tried = await get(url, range, what, signal);
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
      const body = await getDocument(
        get,
        new URL(manifestUrl),
        { what: 'manifest', maxBytes: MANIFEST_MAX_BYTES, retry, headers: { accept: 'application/json' } },
        signal,
      );
      const files = readManifest(parseJson(body, 'manifest'), manifestUrl);
      for (const { path, url } of files) urls.set(path, url);
      return files;
    },
  };
}
