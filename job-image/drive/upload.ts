/**
 * One file through one resumable session: chunks of a size Drive accepts, each going on where Drive says it stands. After
 * anything unclear (a broken connection, a 5xx) Drive is asked how far it is; nothing is assumed.
 */
import { Readable } from 'node:stream';
import { JobEnd } from '../ending.ts';
import { pause, withRetries, type Again, type Tried } from '../retry.ts';
import { driveAway, type Drive } from './call.ts';
import { JOB_PROPERTY, parseResource, type DriveResource } from './resource.ts';
import { sessionReply, type SessionReply } from './session-reply.ts';
import { makeWindow, type Window } from './window.ts';

/** Drive takes multiples of this, but for the last chunk. */
const BLOCK_BYTES = 256 * 1024;
const CHUNK_MAX_BYTES = 8 * 1024 * 1024;
/** What all files in flight may hold together. */
const HELD_MAX_BYTES = 64 * 1024 * 1024;
/** Of one chunk, from its first byte sent to Drive's answer; egress cuts silent connections long before. */
const CHUNK_LIMIT_MS = 300_000;
export const RESOURCE_FIELDS = 'id,size,sha256Checksum';

/** As large as the limit on memory allows, so that few requests are needed. */
export const chunkBytesFor = (parallelFiles: number): number =>
  Math.max(
    BLOCK_BYTES,
    Math.min(CHUNK_MAX_BYTES, Math.floor(HELD_MAX_BYTES / parallelFiles / BLOCK_BYTES) * BLOCK_BYTES),
  );

export type UploadTarget = {
  readonly jobId: string;
  readonly parentId: string;
  readonly name: string;
  readonly bytes: number;
  readonly contentType: string | undefined;
  /** For the log. */
  readonly what: string;
};

/** The session's address, which is as good as a key to it and is never printed. Throws JobEnd. */
export async function startSession(drive: Drive, target: UploadTarget, signal: AbortSignal): Promise<string> {
  const { location } = await drive.call(
    {
      method: 'POST',
      path: '/upload/drive/v3/files',
      query: { uploadType: 'resumable', fields: RESOURCE_FIELDS },
      headers: {
        'x-upload-content-type': target.contentType ?? 'application/octet-stream',
        'x-upload-content-length': String(target.bytes),
      },
      json: { name: target.name, parents: [target.parentId], appProperties: { [JOB_PROPERTY]: target.jobId } },
      what: target.what,
    },
    signal,
  );
  if (URL.parse(location ?? '')?.protocol !== 'https:') throw driveAway({ again: `${target.what}: no upload session` });
  return location as string;
}

type Put = { readonly reply: SessionReply; readonly body: string; readonly again: Again };

/** PUTs [from, to) of the window; `from === to` asks how far the session is (and is all an empty file needs). */
async function put(
  drive: Drive,
  sessionUrl: string,
  { window, from, to, target }: { window: Window; from: number; to: number; target: UploadTarget },
  signal: AbortSignal,
): Promise<Put> {
  const isQuery = from === to;
  const body = isQuery ? null : Readable.from(window.bytes(from, to), { objectMode: false });
  const tried = await drive.exchange(
    sessionUrl,
    {
      method: 'PUT',
      headers: {
        'content-length': String(to - from),
        'content-range': isQuery ? `bytes */${target.bytes}` : `bytes ${from}-${to - 1}/${target.bytes}`,
      },
      body,
      headersTimeout: CHUNK_LIMIT_MS,
    },
    target.what,
    signal,
  );
  const failure = window.failure();
  if (failure !== undefined) throw failure;
  if ('again' in tried) return { reply: { kind: 'again' }, body: '', again: tried };
  return { reply: sessionReply(tried.done), body: tried.done.body, again: tried.done.again };
}

/** A session, and how much of its file Drive has by its own word. */
export type Session = { readonly url: string; readonly confirmed: number };
export type FoundSession = Session | { readonly complete: DriveResource } | 'expired';

/**
 * How far a session is that another attempt has opened: Drive's word, Drive's resource where it is complete, or 'expired'.
 * Throws JobEnd, or what `signal` aborts with.
 */
export async function askSession(
  drive: Drive,
  target: UploadTarget,
  url: string,
  signal: AbortSignal,
): Promise<FoundSession> {
  const window = makeWindow(nothing(), () => undefined);
  return await withRetries(
    drive.retry,
    signal,
    async (): Promise<Tried<FoundSession>> => {
      const { reply, body, again } = await put(drive, url, { window, from: 0, to: 0, target }, signal);
      if (reply.kind === 'complete') return { done: { complete: parseResource(body, target.what) } };
      if (reply.kind === 'end') throw new JobEnd(reply.reason, again.again);
      if (reply.kind === 'again') return again;
      if (reply.kind === 'expired' || reply.bytes > target.bytes) return { done: 'expired' };
      return { done: { url, confirmed: reply.bytes } };
    },
    driveAway,
  );
}
// oxlint-disable-next-line require-yield -- a source without a byte
async function* nothing(): AsyncGenerator<Buffer> {}

/**
 * Uploads what `window` reads, from where the session stands, and answers Drive's resource, or 'expired' where the session
 * was lost and the file must start again. `onConfirmed` is told of progress in bytes. Nothing is sent behind the first
 * chunk before `isKept` has resolved. Throws JobEnd, what the source or `isKept` throws, or what `signal` aborts with.
 */
export async function uploadContent(
  drive: Drive,
  target: UploadTarget,
  { url, confirmed: begun }: Session,
  options: {
    window: Window;
    chunkBytes: number;
    onConfirmed: (bytes: number) => void;
    isKept: () => Promise<void>;
  },
  signal: AbortSignal,
): Promise<DriveResource | 'expired'> {
  const { window, chunkBytes, onConfirmed, isKept } = options;
  let confirmed = begun;
  let failures = 0;
  let isUnclear = begun === target.bytes;
  for (;;) {
    if (confirmed > begun) await isKept();
    const to = isUnclear ? confirmed : Math.min(confirmed + chunkBytes, target.bytes);
    const { reply, body, again } = await put(drive, url, { window, from: confirmed, to, target }, signal);
    if (reply.kind === 'complete') {
      onConfirmed(target.bytes - confirmed);
      return parseResource(body, target.what);
    }
    if (reply.kind === 'expired') return 'expired';
    if (reply.kind === 'end') throw new JobEnd(reply.reason, again.again);
    if (reply.kind === 'confirmed') {
      if (reply.bytes < window.start() || reply.bytes > target.bytes) return 'expired';
      const progress = reply.bytes - confirmed;
      confirmed = reply.bytes;
      window.release(confirmed);
      onConfirmed(progress);
      if (progress > 0) failures = 0;
      // Everything is there and yet it is not complete: only asking again can end it.
      isUnclear = confirmed === target.bytes;
      if (progress > 0 && !isUnclear) continue;
    } else isUnclear = true;
    failures += 1;
    if (!(await pause(drive.retry, failures, again, signal))) throw driveAway(again);
  }
}
