import { Readable } from 'node:stream';
import { createGzip } from 'node:zlib';
import type { Context } from 'koa';
import { byteRange } from './byte-range.ts';
import { faultOf } from './faults-over-http.ts';
import { pacedBody, type Pace } from './paced-body.ts';

export type Bytes = {
  size: number;
  contentType: string;
  /** Strong, with its quotes. */
  etag: string;
  /** Both ends inclusive. */
  open: (start: number, end: number) => Readable;
};

/** Is the copy that the client has parts of (If-Range) still this one? Only strong tags count; RFC 9110 section 13.1.5. */
const isSameCopy = (ifRange: string, etag: string): boolean => ifRange === '' || ifRange === etag;

/**
 * Answers GET and HEAD with `bytes`: 200, 206, 304 or 416. `pace` slows every answer down, as a fault of the request's own
 * would.
 */
export function sendBytes(ctx: Context, served: Bytes, pace?: Pace): void {
  const fault: Pace | undefined = faultOf(ctx.req) ?? pace;
  const bytes = {
    ...served,
    size: Math.max(served.size - (fault?.shortBy ?? 0), 0),
    etag: fault?.etag ?? served.etag,
  };
  ctx.set({ ETag: bytes.etag, 'Accept-Ranges': 'bytes', 'Content-Type': bytes.contentType });
  if (ctx.get('If-None-Match') === bytes.etag) {
    ctx.status = 304;
    return;
  }
  const wanted = isSameCopy(ctx.get('If-Range'), bytes.etag) ? byteRange(ctx.get('Range'), bytes.size) : 'whole';
  if (wanted === 'unsatisfiable') {
    ctx.status = 416;
    ctx.set('Content-Range', `bytes */${bytes.size}`);
    ctx.body = '';
    return;
  }
  let { start, end } = wanted === 'whole' ? { start: 0, end: bytes.size - 1 } : wanted;
  if (wanted !== 'whole') {
    if (fault?.shortRange !== undefined) end = Math.min(end, start + Math.max(1, fault.shortRange) - 1);
    ctx.set('Content-Range', `bytes ${start}-${end}/${bytes.size}`);
  }
  ctx.status = wanted === 'whole' ? 200 : 206;
  ctx.length = end - start + 1;
  if (ctx.method === 'HEAD') return;
  if (bytes.size === 0) {
    ctx.body = '';
    return;
  }
  const body = bytes.open(start, end);
  ctx.body = fault ? Readable.from(pacedBody(body, fault, ctx.socket), { objectMode: false }) : body;
  ctx.set('Content-Type', bytes.contentType);
  if (fault?.encoding !== undefined) {
    ctx.set('Content-Encoding', fault.encoding);
    // Whoever opened it closes it, when the other side goes away.
    ctx.body = Readable.from(pacedBody(body, fault, ctx.socket), { objectMode: false }).pipe(createGzip());
    ctx.type = bytes.contentType;
    return;
  }
  if (fault?.lengthless === 'close') ctx.res.useChunkedEncodingByDefault = false;
  // Koa takes a stream's length away, and without it a dropped connection would look like the end of the file.
  if (fault?.lengthless === undefined) ctx.set('Content-Length', String(end - start + 1));
}
