/** Files of which nothing is known ahead: hashed on their way, and proven by what Drive says it has. */
import { createHash } from 'node:crypto';
import { SESSION_URL_MAX_CHARS, type KeptSession } from './contract/sealed-session.ts';
import type { DeliveredFile } from './contract/signed-call.ts';
import type { Drive } from './drive/call.ts';
import { driveAway } from './drive/call.ts';
import type { Existing } from './drive/existing.ts';
import type { FolderAt } from './drive/folder.ts';
import { removeFile } from './drive/remove.ts';
import { JOB_PROPERTY, parseResource, type DriveResource } from './drive/resource.ts';
import { RESOURCE_FIELDS } from './drive/upload.ts';
import { askStreamSession, uploadStream, type StreamTarget } from './drive/upload-stream.ts';
import { JobEnd } from './ending.ts';
import type { ProgressMeter } from './progress.ts';
import { SourceMismatchError, type StreamFile } from './providers/provider.ts';
import { withRetries } from './retry.ts';
import type { SessionLedger } from './session-ledger.ts';

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
  readonly ledger: SessionLedger;
  /** What earlier attempts kept, by path. */
  readonly kept: ReadonlyMap<string, KeptSession>;
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

/** The bytes of one opening, hashed and counted on their way. */
function readWhole(file: StreamFile, signal: AbortSignal) {
  const over = new AbortController();
  const hash = createHash('sha256');
  let bytes = 0;
  return {
    source: (async function* (): AsyncGenerator<Buffer> {
      for await (const piece of file.open(AbortSignal.any([signal, over.signal]))) {
        hash.update(piece);
        bytes += piece.length;
        yield piece;
      }
    })(),
    read: () => ({ bytes, sha256: hash.digest('hex') }),
    close: () => over.abort(new Error('the stream is over')),
  };
}

/** Where an earlier attempt left off. Drive's word; nothing where it was of another folder or source, or is lost. */
async function whereLeftOff(
  parts: Parts,
  file: StreamFile,
  target: StreamTarget,
  signal: AbortSignal,
): Promise<{ url: string; confirmed: number } | undefined> {
  const kept = parts.kept.get(file.path);
  if (kept === undefined || !('version' in kept)) return undefined;
  if (kept.version !== file.version || kept.parentId !== target.parentId) return undefined;
  const confirmed = await askStreamSession(parts.drive, target, kept.url, signal);
  return confirmed === 'expired' ? undefined : { url: kept.url, confirmed };
}

/** One pass over the stream: from its beginning for its hash, and from where `isResumed` finds the upload, for Drive. */
async function carry(
  parts: Parts,
  file: StreamFile,
  isResumed: boolean,
  signal: AbortSignal,
): Promise<DeliveredFile | JobEnd> {
  const { drive, folderAt, jobId, progress, ledger } = parts;
  const what = JSON.stringify(file.path);
  const names = file.path.split('/');
  const target = {
    parentId: await folderAt(names.slice(0, -1)),
    name: names.at(-1) ?? file.path,
    contentType: file.contentType,
    appProperties: { [JOB_PROPERTY]: jobId, [VERSION_PROPERTY]: file.version },
    what,
  };
  const from = isResumed ? await whereLeftOff(parts, file, target, signal) : undefined;
  const begunAt = from?.confirmed ?? 0;
  let counted = 0;
  let isKept = from !== undefined;
  let isDelivered = false;
  const reading = readWhole(file, signal);
  const onConfirmed = (confirmed: number): void => {
    counted += confirmed;
    progress.bytes(confirmed);
    if (isKept) ledger.confirmed(file.path, begunAt + counted);
  };
  const onBegun = async (url: string): Promise<void> => {
    if (url.length > SESSION_URL_MAX_CHARS) return;
    isKept = true;
    await ledger.keep(file.path, { url, parentId: target.parentId, version: file.version });
  };
  progress.resumed(begunAt);
  try {
    const uploaded = await uploadStream(
      drive,
      target,
      { source: reading.source, chunkBytes: CHUNK_BYTES, from, onConfirmed, onBegun },
      signal,
    );
    if (uploaded === 'expired') return new JobEnd('drive_unavailable', `${what}: the upload session was lost`);
    const { bytes, sha256 } = reading.read();
    // Of the whole as it was read now: what an earlier attempt has sent of another version shows here.
    if (await prove(parts, uploaded.id, sha256, what, signal)) {
      isDelivered = true;
      if (isKept) ledger.forget(file.path);
      return { path: file.path, bytes, sha256, driveId: uploaded.id };
    }
    await removeFile(drive, uploaded.id, signal);
    return new JobEnd('checksum_mismatch', `${what}: Drive has other bytes than were sent`);
  } catch (error) {
    if (!(error instanceof SourceMismatchError)) throw error;
    return new JobEnd('checksum_mismatch', error.message, { cause: error });
  } finally {
    if (!isDelivered) {
      progress.bytes(-counted);
      progress.resumed(-begunAt);
    }
    reading.close();
  }
}

/** Takes what comes, and nothing of it. */
async function finished(source: AsyncIterator<Buffer>): Promise<void> {
  while ((await source.next()).done !== true);
}

/** What an earlier attempt sent whole and died before it was proven: read again for its hash, and not sent again. */
async function proveFound(
  parts: Parts,
  file: StreamFile,
  { id }: DriveResource,
  signal: AbortSignal,
): Promise<DeliveredFile | undefined> {
  const reading = readWhole(file, signal);
  try {
    await finished(reading.source);
    const { bytes, sha256 } = reading.read();
    if (!(await prove(parts, id, sha256, JSON.stringify(file.path), signal))) return undefined;
    parts.progress.skipped(bytes);
    return { path: file.path, bytes, sha256, driveId: id };
  } catch (error) {
    if (error instanceof SourceMismatchError) return undefined;
    throw error;
  } finally {
    reading.close();
  }
}

async function deliver(parts: Parts, file: StreamFile, signal: AbortSignal): Promise<DeliveredFile> {
  const found = parts.existing.files.get(file.path) ?? [];
  const isOfVersion = ({ appProperties }: DriveResource): boolean => appProperties?.[VERSION_PROPERTY] === file.version;
  const kept = found.find((resource) => isProven(file, resource));
  const unproven = kept ? undefined : found.find(isOfVersion);
  for (const one of found.filter((resource) => resource !== kept && resource !== unproven))
    await removeFile(parts.drive, one.id, signal);
  if (kept !== undefined) {
    const bytes = kept.size ?? 0;
    parts.progress.skipped(bytes);
    return { path: file.path, bytes, sha256: kept.sha256Checksum ?? '', driveId: kept.id };
  }
  if (unproven !== undefined) {
    const proven = await proveFound(parts, file, unproven, signal);
    if (proven !== undefined) return proven;
    await removeFile(parts.drive, unproven.id, signal);
  }
  for (let tries = 1; ; tries += 1) {
    const carried = await carry(parts, file, tries === 1, signal);
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
