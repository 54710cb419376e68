/** Bytes of which nothing is known ahead, over as many connections as it takes. */
import { createHash } from 'node:crypto';
import { JobEnd } from '../ending.ts';
import { dropBody, failureName, headerOf, type Response } from '../http-call.ts';
import { pause, type Again, type RetryLimits } from '../retry.ts';
import { refusalOf, type Get } from './get.ts';
import { SourceMismatchError } from './provider.ts';

/** Against a source that hands out a few bytes and breaks, for ever. */
const REOPENS_MAX = 200;
/** Against one that never ends; longer than any lecture. */
const CONTENT_MAX_BYTES = 64 * 1024 ** 3;
const CONTENT_RANGE = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15}|\*)$/;
/** What an error or a sign-in page comes as, whatever its status says. */
const PAGE =
  /^(?:text\/html|application\/xhtml\+xml|application\/json|application\/problem\+json|(?:text|application)\/xml)\b/i;

export type Part = {
  readonly url: URL;
  readonly what: string;
  /** Both in bytes; without a length to the end. */
  readonly offset: number;
  readonly length: number | undefined;
  readonly retry: RetryLimits;
  /** What it is expected to be; a page in place of it is refused. */
  readonly contentType?: string;
  readonly maxBytes?: number;
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

/** What the body is not: other bytes than were asked for, or none whose end can be told. Fails closed. */
function problemOf(response: Response, { contentType = '' }: Part, isEndKnown: boolean): string | undefined {
  const coding = headerOf(response, 'content-encoding') ?? 'identity';
  if (coding.toLowerCase() !== 'identity') return `comes encoded as ${coding}`;
  const type = headerOf(response, 'content-type') ?? '';
  if (PAGE.test(type) && !PAGE.test(contentType)) return `is answered with a page, ${type}`;
  const isChunked = /\bchunked\b/i.test(headerOf(response, 'transfer-encoding') ?? '');
  return isEndKnown || isChunked ? undefined : 'comes without a length';
}

const isStrong = (etag: string | undefined): etag is string => etag?.startsWith('"') === true;

/**
 * Bytes [offset, offset + length) of `url`, once and in order; where a connection breaks the next goes on from there: by a
 * strong tag, or where there is none by reading what is known once more and comparing it. `onOpen` sees the headers of
 * each. Throws JobEnd, SourceMismatchError where the file changes half-way, or what `signal` aborts with.
 */
export async function* readOn(
  get: Get,
  part: Part,
  signal: AbortSignal,
  onOpen: (response: Response) => void = () => undefined,
): AsyncGenerator<Buffer> {
  const { url, what, offset, length, retry, maxBytes = CONTENT_MAX_BYTES } = part;
  const known = createHash('sha256');
  let at = offset;
  let until = length === undefined ? undefined : offset + length;
  let whole: number | undefined;
  let etag: string | undefined;
  let failures = 0;
  for (let opened = 0; opened <= REOPENS_MAX; opened += 1) {
    const from = isStrong(etag) ? at : offset;
    const isWhole = from === 0 && until === undefined;
    const range =
      isWhole || until === at ? {} : { range: `bytes=${from}-${length === undefined ? '' : offset + length - 1}` };
    const condition = from > offset && isStrong(etag) ? { 'if-range': etag } : {};
    const tried = await get(url, { ...range, ...condition }, what, signal);
    let failed: Again;
    if ('again' in tried) failed = { again: `${what}: ${tried.again}` };
    else if (![200, 206].includes(tried.done.statusCode)) failed = refusalOf(tried.done, what);
    else {
      const response = tried.done;
      onOpen(response);
      const { start, total, etag: tag } = openedOf(response, from, what);
      const isOther = opened > 0 && at > offset && (tag !== etag || (whole ?? total) !== total);
      const problem = isOther ? 'has changed half-way' : problemOf(response, part, (until ?? total) !== undefined);
      if (problem !== undefined) {
        dropBody(response);
        if (isOther) throw new SourceMismatchError(`${what}: ${problem}`);
        throw new JobEnd('provider_unavailable', `${what} ${problem}`);
      }
      etag = tag;
      whole = total;
      until ??= total;
      if (total !== undefined && until !== undefined && until > total) {
        dropBody(response);
        throw new SourceMismatchError(`${what}: has ${total} bytes, ${until} were announced`);
      }
      // Bytes before ours are passed over; those of ours that are known are compared.
      let skip = offset - start;
      let compare = skip >= 0 ? at - offset : 0;
      if (skip < 0) skip = 0;
      const again = createHash('sha256');
      try {
        for await (const piece of response.body as AsyncIterable<Buffer>) {
          const passed = Math.min(skip, piece.length);
          skip -= passed;
          const compared = Math.min(compare, piece.length - passed);
          if (compared > 0) {
            again.update(piece.subarray(passed, passed + compared));
            compare -= compared;
            if (compare === 0 && !again.digest().equals(known.copy().digest()))
              throw new SourceMismatchError(`${what}: has changed half-way`);
          }
          const first = passed + compared;
          const bytes = piece.subarray(first, until === undefined ? undefined : first + until - at);
          if (bytes.length > 0) {
            at += bytes.length;
            failures = 0;
            if (at - offset > maxBytes) throw new JobEnd('manifest_invalid', `${what}: more than ${maxBytes} bytes`);
            known.update(bytes);
            yield bytes;
          }
          if (at === until) break;
        }
        if (compare === 0 && (until === undefined || at === until)) return;
        failed = { again: `${what}: ended after ${at - offset} bytes` };
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof SourceMismatchError || error instanceof JobEnd) throw error;
        failed = { again: `${what}: ${failureName(error)}` };
      }
    }
    failures += 1;
    if (!(await pause(retry, failures, failed, signal)))
      throw new JobEnd('provider_unavailable', failed.again, { retryAfterSeconds: failed.retryAfterSeconds });
  }
  throw new JobEnd('provider_unavailable', `${what}: breaks off again and again`);
}
