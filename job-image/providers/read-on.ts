/** Bytes of which nothing is known ahead, over as many connections as it takes. */
import { JobEnd } from '../ending.ts';
import { dropBody, failureName, headerOf, type Response } from '../http-call.ts';
import { pause, type Again, type RetryLimits } from '../retry.ts';
import { refusalOf, type Get } from './get.ts';
import { SourceMismatchError } from './provider.ts';

/** Against a source that hands out a few bytes and breaks, for ever. */
const REOPENS_MAX = 200;
const CONTENT_RANGE = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15}|\*)$/;

export type Part = {
  readonly url: URL;
  readonly what: string;
  /** Both in bytes; without a length to the end. */
  readonly offset: number;
  readonly length: number | undefined;
  readonly retry: RetryLimits;
};

type Opened = { start: number; total: number | undefined; etag: string | undefined };

/** Where the body starts and what it belongs to. Throws SourceMismatchError where the server's range is not ours. */
function openedOf(response: Response, from: number, what: string): Opened {
  const etag = headerOf(response, 'etag');
  if (response.statusCode === 200) {
    const length = headerOf(response, 'content-length');
    return { start: 0, total: length === undefined ? undefined : Number(length), etag };
  }
  const range = CONTENT_RANGE.exec(headerOf(response, 'content-range') ?? '');
  if (range === null || Number(range[1]) !== from) {
    dropBody(response);
    throw new SourceMismatchError(`${what}: range from ${from} was not answered`);
  }
  return { start: from, total: range[3] === '*' ? undefined : Number(range[3]), etag };
}

/**
 * Bytes [offset, offset + length) of `url`, once and in order; where a connection breaks the next goes on from there.
 * `onOpen` sees the headers of each. Throws JobEnd, SourceMismatchError where the file changes half-way, or what `signal`
 * aborts with.
 */
export async function* readOn(
  get: Get,
  part: Part,
  signal: AbortSignal,
  onOpen: (response: Response) => void = () => undefined,
): AsyncGenerator<Buffer> {
  const { url, what, offset, length, retry } = part;
  let at = offset;
  let until = length === undefined ? undefined : offset + length;
  let etag: string | undefined;
  let failures = 0;
  for (let opened = 0; opened <= REOPENS_MAX; opened += 1) {
    const isWhole = at === 0 && until === undefined;
    const range =
      isWhole || until === at ? {} : { range: `bytes=${at}-${length === undefined ? '' : offset + length - 1}` };
    const tried = await get(url, range, what, signal);
    let failed: Again;
    if ('again' in tried) failed = { again: `${what}: ${tried.again}` };
    else if (![200, 206].includes(tried.done.statusCode)) failed = refusalOf(tried.done, what);
    else {
      onOpen(tried.done);
      const { start, total, etag: tag } = openedOf(tried.done, at, what);
      if (etag !== undefined && tag !== etag) {
        dropBody(tried.done);
        throw new SourceMismatchError(`${what}: has changed half-way`);
      }
      etag = tag;
      until ??= total;
      if (total !== undefined && until !== undefined && until > total)
        throw new SourceMismatchError(`${what}: has ${total} bytes, ${until} were announced`);
      let skip = at - start;
      try {
        for await (const piece of tried.done.body as AsyncIterable<Buffer>) {
          const from = Math.min(skip, piece.length);
          skip -= from;
          const bytes = piece.subarray(from, until === undefined ? undefined : from + until - at);
          if (bytes.length > 0) {
            at += bytes.length;
            failures = 0;
            yield bytes;
          }
          if (at === until) break;
        }
        if (until === undefined || at === until) return;
        failed = { again: `${what}: ended after ${at - offset} bytes` };
      } catch (error) {
        signal.throwIfAborted();
        failed = { again: `${what}: ${failureName(error)}` };
      }
    }
    failures += 1;
    if (!(await pause(retry, failures, failed, signal)))
      throw new JobEnd('provider_unavailable', failed.again, { retryAfterSeconds: failed.retryAfterSeconds });
  }
  throw new JobEnd('provider_unavailable', `${what}: breaks off again and again`);
}
