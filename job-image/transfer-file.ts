import { createHash } from 'node:crypto';
import { beginUpload, keepBegun, type Begun } from './begin-upload.ts';
import type { EndReason } from './contract/exit-codes.ts';
import type { KeptSession } from './contract/sealed-session.ts';
import type { DeliveredFile } from './contract/signed-call.ts';
import { JobEnd } from './ending.ts';
import { driveAway, type Drive } from './drive/call.ts';
import type { FolderAt } from './drive/folder.ts';
import { removeFile } from './drive/remove.ts';
import { parseResource, type DriveResource } from './drive/resource.ts';
import { RESOURCE_FIELDS, uploadContent } from './drive/upload.ts';
import { makeWindow } from './drive/window.ts';
import { SourceMismatchError, type Provider, type SourceFile } from './providers/provider.ts';
import { withRetries } from './retry.ts';
import type { SessionLedger } from './session-ledger.ts';
import { readSource } from './source.ts';

/** Times a file is carried from its first byte on, whatever made it start again. */
const TRIES_MAX = 3;

export type TransferParts = {
  readonly provider: Provider;
  readonly drive: Drive;
  readonly folderAt: FolderAt;
  readonly jobId: string;
  readonly chunkBytes: number;
  /** May be negative, where a file starts again. */
  readonly onBytes: (bytes: number) => void;
  /** Of what an earlier attempt has sent; negative where it was for nothing. */
  readonly onResumed: (bytes: number) => void;
  readonly ledger: SessionLedger;
};

/** Drive may take a moment to know the checksum of what it just took. */
async function withChecksum(
  drive: Drive,
  resource: DriveResource,
  what: string,
  signal: AbortSignal,
): Promise<DriveResource> {
  if (resource.sha256Checksum !== undefined && resource.size !== undefined) return resource;
  const path = `/drive/v3/files/${encodeURIComponent(resource.id)}`;
  return await withRetries(
    drive.retry,
    signal,
    async () => {
      const answer = await drive.call({ method: 'GET', path, query: { fields: RESOURCE_FIELDS }, what }, signal);
      const read = parseResource(answer.body, what);
      return read.sha256Checksum === undefined || read.size === undefined
        ? { again: `${what}: Drive has no checksum` }
        : { done: read };
    },
    driveAway,
  );
}

type Restart = { readonly restart: string; readonly reason: EndReason };

/**
 * One pass over the file, from where `kept` stands if there is one. A restart says why it must start again; what the pass
 * left in Drive is removed by then.
 */
async function carry(
  parts: TransferParts,
  file: SourceFile,
  kept: KeptSession | undefined,
  signal: AbortSignal,
): Promise<DeliveredFile | Restart> {
  const { provider, drive, folderAt, jobId, chunkBytes, ledger } = parts;
  const what = JSON.stringify(file.path);
  const names = file.path.split('/');
  const parentId = await folderAt(names.slice(0, -1));
  const target = {
    jobId,
    parentId,
    name: names.at(-1) ?? file.path,
    bytes: file.bytes,
    contentType: file.contentType,
    what,
  };
  const begun = await beginUpload(drive, { file, target, kept }, signal);
  const begunAt = 'complete' in begun ? file.bytes : begun.confirmed;
  // What this pass did not read it did not hash: then Drive's checksum of the whole is held against the announced one.
  const hash = begunAt === 0 ? createHash('sha256') : undefined;
  let counted = 0;
  let isDelivered = false;
  parts.onResumed(begunAt);

  async function upload(session: Begun): Promise<DriveResource | 'expired'> {
    const over = new AbortController();
    let isKept: Promise<void> | undefined;
    const from = { offset: session.confirmed, etag: session.confirmed === 0 ? undefined : session.etag };
    const source = readSource(provider, file, AbortSignal.any([signal, over.signal]), {
      from,
      onOpen: (etag) => {
        // What one chunk holds is sent again sooner than it is kept.
        if (isKept !== undefined || session.confirmed > 0 || file.bytes <= chunkBytes) return;
        isKept = keepBegun(ledger, { file, target, url: session.url, etag });
      },
    });
    const window = makeWindow(source, (piece) => void hash?.update(piece), session.confirmed);
    const onConfirmed = (bytes: number): void => {
      counted += bytes;
      parts.onBytes(bytes);
      if (isKept !== undefined || session.confirmed > 0) ledger.confirmed(file.path, session.confirmed + counted);
    };
    try {
      return await uploadContent(
        drive,
        target,
        session,
        { window, chunkBytes, onConfirmed, isKept: () => isKept ?? Promise.resolve() },
        signal,
      );
    } finally {
      over.abort();
      await source.return(undefined);
    }
  }

  try {
    const uploaded = 'complete' in begun ? begun.complete : await upload(begun);
    if (uploaded === 'expired') return { restart: `${what}: the upload session was lost`, reason: 'drive_unavailable' };
    const { id, size, sha256Checksum } = await withChecksum(drive, uploaded, what, signal);
    const read = hash?.digest('hex') ?? file.sha256;
    if (size === file.bytes && sha256Checksum === file.sha256 && read === file.sha256) {
      isDelivered = true;
      if (file.bytes > chunkBytes) ledger.forget(file.path);
      return { path: file.path, bytes: file.bytes, sha256: file.sha256, driveId: id };
    }
    await removeFile(drive, id, signal);
    const whose =
      sha256Checksum === read ? 'checksum is not the announced one' : 'Drive has other bytes than were sent';
    return { restart: `${what}: ${whose}`, reason: 'checksum_mismatch' };
  } catch (error) {
    if (!(error instanceof SourceMismatchError)) throw error;
    return { restart: error.message, reason: 'checksum_mismatch' };
  } finally {
    if (!isDelivered) {
      parts.onBytes(-counted);
      parts.onResumed(-begunAt);
    }
  }
}

/**
 * Carries one file from provider to Drive and proves it arrived; `kept` is the session of an earlier attempt. Throws JobEnd,
 * or what `signal` aborts with.
 */
export async function transferFile(
  parts: TransferParts,
  file: SourceFile,
  kept: KeptSession | undefined,
  signal: AbortSignal,
): Promise<DeliveredFile> {
  for (let tries = 1; ; tries += 1) {
    const carried = await carry(parts, file, tries === 1 ? kept : undefined, signal);
    if (!('restart' in carried)) return carried;
    if (tries >= TRIES_MAX) throw new JobEnd(carried.reason, carried.restart);
  }
}
