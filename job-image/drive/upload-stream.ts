/**
 * One file of unknown length through one resumable session. Chunks of full size go as `bytes a-b/*`; the chunk that turns
 * out to be the last names the total. One chunk is held until Drive has confirmed it, and sent again from where Drive says.
 */
import { Readable } from 'node:stream';
import { JobEnd } from '../ending.ts';
import { pause, withRetries, type Again, type Tried } from '../retry.ts';
import { driveAway, type Drive } from './call.ts';
import { parseResource, type DriveResource } from './resource.ts';
import { sessionReply, type SessionReply } from './session-reply.ts';
import { RESOURCE_FIELDS } from './upload.ts';

const CHUNK_LIMIT_MS = 300_000;

export type StreamTarget = {
  readonly parentId: string;
  readonly name: string;
  readonly contentType: string;
  readonly appProperties: Readonly<Record<string, string>>;
  readonly what: string;
};

async function startSession(drive: Drive, target: StreamTarget, signal: AbortSignal): Promise<string> {
  const { name, parentId, contentType, appProperties, what } = target;
  const { location } = await drive.call(
    {
      method: 'POST',
      path: '/upload/drive/v3/files',
      query: { uploadType: 'resumable', fields: RESOURCE_FIELDS },
      headers: { 'x-upload-content-type': contentType },
      json: { name, parents: [parentId], appProperties },
      what,
    },
    signal,
  );
  if (URL.parse(location ?? '')?.protocol !== 'https:') throw driveAway({ again: `${what}: no upload session` });
  return location as string;
}

type Put = { readonly reply: SessionReply; readonly body: string; readonly again: Again };

async function put(
  drive: Drive,
  sessionUrl: string,
  { bytes, range, what }: { bytes: Buffer; range: string; what: string },
  signal: AbortSignal,
): Promise<Put> {
  const tried = await drive.exchange(
    sessionUrl,
    {
      method: 'PUT',
      headers: { 'content-length': String(bytes.length), 'content-range': range },
      body: bytes.length === 0 ? null : Readable.from([bytes], { objectMode: false }),
      headersTimeout: CHUNK_LIMIT_MS,
    },
    what,
    signal,
  );
  if ('again' in tried) return { reply: { kind: 'again' }, body: '', again: tried };
  return { reply: sessionReply(tried.done), body: tried.done.body, again: tried.done.again };
}

/** Pieces of any size as chunks of `chunkBytes`, the last one shorter or empty. */
async function* chunksOf(source: AsyncIterable<Buffer>, chunkBytes: number): AsyncGenerator<Buffer> {
  let held: Buffer[] = [];
  let bytes = 0;
  for await (let piece of source) {
    while (bytes + piece.length > chunkBytes) {
      const room = chunkBytes - bytes;
      yield Buffer.concat([...held, piece.subarray(0, room)]);
      piece = piece.subarray(room);
      held = [];
      bytes = 0;
    }
    held.push(piece);
    bytes += piece.length;
  }
  yield Buffer.concat(held);
}

/** What comes behind the first `bytes`; all of them must be there. */
async function* behind(source: AsyncIterable<Buffer>, bytes: number): AsyncGenerator<Buffer> {
  let left = bytes;
  for await (const piece of source) {
    if (piece.length > left) yield piece.subarray(left);
    left = Math.max(0, left - piece.length);
  }
}

/**
 * How far a session is that another attempt has opened, by Drive's word; 'expired' where it is lost or over. Throws JobEnd,
 * or what `signal` aborts with.
 */
export async function askStreamSession(
  drive: Drive,
  { what }: StreamTarget,
  url: string,
  signal: AbortSignal,
): Promise<number | 'expired'> {
  const question = { bytes: Buffer.alloc(0), range: 'bytes */*', what };
  return await withRetries(
    drive.retry,
    signal,
    async (): Promise<Tried<number | 'expired'>> => {
      const { reply, again } = await put(drive, url, question, signal);
      if (reply.kind === 'again') return again;
      if (reply.kind === 'end') throw new JobEnd(reply.reason, again.again);
      return { done: reply.kind === 'confirmed' ? reply.bytes : 'expired' };
    },
    driveAway,
  );
}

/**
 * Uploads all of `source`, from where the session stands, and answers Drive's resource, or 'expired' where the session was
 * lost or has more than the source. `onConfirmed` is told of progress in bytes; `onBegun`, while the first of several chunks
 * is on its way, of a session that is worth keeping, and nothing is sent behind that chunk before it has resolved. Throws
 * JobEnd, what the source throws, or what `signal` aborts with.
 */
export async function uploadStream(
  drive: Drive,
  target: StreamTarget,
  options: {
    source: AsyncIterable<Buffer>;
    chunkBytes: number;
    from: { url: string; confirmed: number } | undefined;
    onConfirmed: (bytes: number) => void;
    onBegun: (url: string) => Promise<void>;
  },
  signal: AbortSignal,
): Promise<DriveResource | 'expired'> {
  const { from, source, chunkBytes, onConfirmed, onBegun } = options;
  const sessionUrl = from?.url ?? (await startSession(drive, target, signal));
  const { what } = target;
  let start = from?.confirmed ?? 0;
  let failures = 0;

  /** Sends one chunk, from wherever Drive stands. Answers the resource where it was the last. */
  async function send(chunk: Buffer, isLast: boolean): Promise<DriveResource | 'expired' | undefined> {
    const end = start + chunk.length;
    const total = isLast ? String(end) : '*';
    let confirmed = start;
    let isUnclear = false;
    for (;;) {
      const isQuery = isUnclear || confirmed === end;
      const bytes = isQuery ? Buffer.alloc(0) : chunk.subarray(confirmed - start);
      const range = isQuery ? `bytes */${total}` : `bytes ${confirmed}-${end - 1}/${total}`;
      const { reply, body, again } = await put(drive, sessionUrl, { bytes, range, what }, signal);
      if (reply.kind === 'complete' && isLast) {
        onConfirmed(end - confirmed);
        return parseResource(body, what);
      }
      if (reply.kind === 'end') throw new JobEnd(reply.reason, again.again);
      if (reply.kind === 'expired' || reply.kind === 'complete') return 'expired';
      if (reply.kind === 'confirmed') {
        if (reply.bytes < start || reply.bytes > end) return 'expired';
        const progress = reply.bytes - confirmed;
        confirmed = reply.bytes;
        onConfirmed(progress);
        isUnclear = false;
        if (progress > 0) failures = 0;
        if (confirmed === end && !isLast) return undefined;
        if (progress > 0) continue;
      } else isUnclear = true;
      failures += 1;
      if (!(await pause(drive.retry, failures, again, signal))) throw driveAway(again);
    }
  }

  let ahead: Buffer | undefined;
  let isFirst = from === undefined;
  for await (const chunk of chunksOf(behind(source, start), chunkBytes)) {
    if (ahead !== undefined) {
      const begun = isFirst ? onBegun(sessionUrl) : undefined;
      isFirst = false;
      const sent = await send(ahead, false);
      if (sent !== undefined) return sent;
      await begun;
      start += ahead.length;
    }
    ahead = chunk;
  }
  return (await send(ahead ?? Buffer.alloc(0), true)) ?? 'expired';
}
