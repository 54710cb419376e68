/** Reads what a server made of a range request (RFC 9110 section 14). */
import { dropBody, headerOf, type Response } from '../http-call.ts';
import { SourceMismatchError, type OpenSource, type Position, type SourceFile } from './provider.ts';

const CONTENT_RANGE = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15}|\*)$/;

/**
 * The headers that ask for the rest of a file. Only a strong tag may stand in If-Range; where the file is another one by
 * now, the server sends it whole, with another tag.
 */
export const rangeFrom = ({ offset, etag }: Position): Record<string, string> =>
  offset === 0 ? {} : { range: `bytes=${offset}-`, ...(etag?.startsWith('"') === true ? { 'if-range': etag } : {}) };

async function* skipping(body: AsyncIterable<Buffer>, count: number): AsyncGenerator<Buffer> {
  let left = count;
  for await (const piece of body) {
    const rest = piece.subarray(Math.min(left, piece.length));
    left -= piece.length - rest.length;
    if (rest.length > 0) yield rest;
  }
}

/** Where the body of `response` starts and how long the whole is, as far as it says. */
function extentOf(response: Response): { start: number; total: number | undefined } | undefined {
  if (response.statusCode === 200) {
    const length = headerOf(response, 'content-length');
    return { start: 0, total: length === undefined ? undefined : Number(length) };
  }
  const range = CONTENT_RANGE.exec(headerOf(response, 'content-range') ?? '');
  return range === null
    ? undefined
    : { start: Number(range[1]), total: range[3] === '*' ? undefined : Number(range[3]) };
}

/**
 * The body from `at.offset` on. A server without ranges answers 200 from the start: what is known already is read and
 * thrown away. Throws SourceMismatchError when version, length or start are not the announced ones.
 */
export function openedAt(response: Response, file: SourceFile, at: Position): OpenSource {
  const etag = headerOf(response, 'etag');
  const extent = extentOf(response);
  const problem =
    extent === undefined || extent.start > at.offset
      ? `range from ${at.offset} was not answered`
      : extent.total !== undefined && extent.total !== file.bytes
        ? `has ${extent.total} bytes, announced were ${file.bytes}`
        : at.etag !== undefined && etag !== at.etag
          ? 'has changed half-way'
          : undefined;
  if (extent === undefined || problem !== undefined) {
    dropBody(response);
    throw new SourceMismatchError(`${JSON.stringify(file.path)} ${problem}`);
  }
  const body = response.body as AsyncIterable<Buffer>;
  return { etag, body: extent.start === at.offset ? body : skipping(body, at.offset - extent.start) };
}
