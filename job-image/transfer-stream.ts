/** Files of which nothing is known ahead: hashed on their way, and proven by what Drive says it has. */
import { createHash } from 'node:crypto';
import type { DeliveredFile } from './contract/signed-call.ts';
import type { Drive } from './drive/call.ts';
import { driveAway } from './drive/call.ts';
import type { Existing } from './drive/existing.ts';
import type { FolderAt } from './drive/folder.ts';
import { removeFile } from './drive/remove.ts';
import { JOB_PROPERTY, parseResource, type DriveResource } from './drive/resource.ts';
import { RESOURCE_FIELDS } from './drive/upload.ts';
import { uploadStream } from './drive/upload-stream.ts';
import { JobEnd } from './ending.ts';
import type { ProgressMeter } from './progress.ts';
import { SourceMismatchError, type StreamFile } from './providers/provider.ts';
import { withRetries } from './retry.ts';

const TRIES_MAX = 3;
/** Held twice a stream: the one on its way and the one being filled. */
const CHUNK_BYTES = 4 * 1024 * 1024;
/** Each stream may have a process of its own. */
export const PARALLEL_STREAMS_MAX = 2;
/** What a file was made from, and the checksum that was compared: set once it is proven. */
const VERSION_PROPERTY = 'ladingVersion';
const PROVEN_PROPERTY = 'ladingProven';

type Parts = {
  readonly drive: Drive;
  readonly folderAt: FolderAt;
  readonly existing: Existing;
  readonly jobId: string;
  readonly progress: ProgressMeter;
};

/** Asked again where Drive does not know its checksum yet, and marked as proven in the same call. */
async function prove(parts: Parts, id: string, sha256: string, what: string, signal: AbortSignal): Promise<boolean> {
  const path = `/drive/v3/files/${encodeURIComponent(id)}`;
  const query = { fields: RESOURCE_FIELDS };
  const seen = await withRetries(
    parts.drive.retry,
    signal,
    async () => {
      const read = parseResource((await parts.drive.call({ method: 'GET', path, query, what }, signal)).body, what);
      return read.sha256Checksum === undefined ? { again: `${what}: Drive has no checksum` } : { done: read };
    },
    driveAway,
  );
  if (seen.sha256Checksum !== sha256) return false;
  const json = { appProperties: { [PROVEN_PROPERTY]: sha256 } };
  await parts.drive.call({ method: 'PATCH', path, query: { fields: 'id' }, json, what }, signal);
  return true;
}

const isProven = (file: StreamFile, found: DriveResource): boolean =>
  found.appProperties?.[VERSION_PROPERTY] === file.version &&
  found.sha256Checksum !== undefined &&
  found.size !== undefined &&
  found.appProperties[PROVEN_PROPERTY] === found.sha256Checksum;

async function carry(parts: Parts, file: StreamFile, signal: AbortSignal): Promise<DeliveredFile | JobEnd> {
  const { drive, folderAt, jobId, progress } = parts;
  const what = JSON.stringify(file.path);
  const names = file.path.split('/');
  const target = {
    parentId: await folderAt(names.slice(0, -1)),
    name: names.at(-1) ?? file.path,
    contentType: file.contentType,
    appProperties: { [JOB_PROPERTY]: jobId, [VERSION_PROPERTY]: file.version },
    what,
  };
  const over = new AbortController();
  const hash = createHash('sha256');
  let bytes = 0;
  let counted = 0;
  const source = async function* (): AsyncGenerator<Buffer> {
    for await (const piece of file.open(AbortSignal.any([signal, over.signal]))) {
      hash.update(piece);
      bytes += piece.length;
      yield piece;
    }
  };
  const onConfirmed = (confirmed: number): void => {
    counted += confirmed;
    progress.bytes(confirmed);
  };
  try {
    const uploaded = await uploadStream(
      drive,
      target,
      { source: source(), chunkBytes: CHUNK_BYTES, onConfirmed },
      signal,
    );
    if (uploaded === 'expired') return new JobEnd('drive_unavailable', `${what}: the upload session was lost`);
    const sha256 = hash.digest('hex');
    if (await prove(parts, uploaded.id, sha256, what, signal)) {
      counted = 0;
      return { path: file.path, bytes, sha256, driveId: uploaded.id };
    }
    await removeFile(drive, uploaded.id, signal);
    return new JobEnd('checksum_mismatch', `${what}: Drive has other bytes than were sent`);
  } catch (error) {
    if (!(error instanceof SourceMismatchError)) throw error;
    return new JobEnd('checksum_mismatch', error.message, { cause: error });
  } finally {
    progress.bytes(-counted);
    over.abort(new Error('the stream is over'));
  }
}

async function deliver(parts: Parts, file: StreamFile, signal: AbortSignal): Promise<DeliveredFile> {
  const found = parts.existing.files.get(file.path) ?? [];
  const kept = found.find((resource) => isProven(file, resource));
  for (const { id } of found.filter((resource) => resource !== kept)) await removeFile(parts.drive, id, signal);
  if (kept !== undefined) {
    const bytes = kept.size ?? 0;
    parts.progress.skipped(bytes);
    return { path: file.path, bytes, sha256: kept.sha256Checksum ?? '', driveId: kept.id };
  }
  for (let tries = 1; ; tries += 1) {
    const carried = await carry(parts, file, signal);
    if (!(carried instanceof JobEnd)) {
      parts.progress.fileDone();
      return carried;
    }
    if (tries >= TRIES_MAX) throw carried;
  }
}

/** Carries all streams, a few at once; the first failure stops the others and is thrown. In the order of `streams`. */
export async function transferStreams(
  parts: Parts,
  streams: readonly StreamFile[],
  signal: AbortSignal,
): Promise<DeliveredFile[]> {
  const stopped = new AbortController();
  const either = AbortSignal.any([signal, stopped.signal]);
  const delivered = Array.from<DeliveredFile>({ length: streams.length });
  const left = streams.entries();
  let failure: { cause: unknown } | undefined;
  const carrier = async (): Promise<void> => {
    for (const [index, stream] of left)
      try {
        delivered[index] = await deliver(parts, stream, either);
      } catch (cause) {
        failure ??= { cause };
        stopped.abort(cause);
        return;
      }
  };
  await Promise.all(Array.from({ length: PARALLEL_STREAMS_MAX }, carrier));
  if (failure !== undefined) throw failure.cause;
  return delivered;
}
