import { createHash } from 'node:crypto';
import type { EndReason } from './contract/exit-codes.ts';
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

/** One pass over the file. A restart says why it must start again; what the pass left in Drive is removed by then. */
async function carry(parts: TransferParts, file: SourceFile, signal: AbortSignal): Promise<DeliveredFile | Restart> {
  const { provider, drive, folderAt, jobId, chunkBytes } = parts;
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
  const over = new AbortController();
  const source = readSource(provider, file, AbortSignal.any([signal, over.signal]));
  const hash = createHash('sha256');
  let counted = 0;
  try {
    const window = makeWindow(source, (piece) => void hash.update(piece));
    const onConfirmed = (bytes: number): void => {
      counted += bytes;
      parts.onBytes(bytes);
    };
    const uploaded = await uploadContent(drive, target, { window, chunkBytes, onConfirmed }, signal);
    if (uploaded === 'expired') return { restart: `${what}: the upload session was lost`, reason: 'drive_unavailable' };
    const { id, size, sha256Checksum } = await withChecksum(drive, uploaded, what, signal);
    const sha256 = hash.digest('hex');
    if (size === file.bytes && sha256Checksum === sha256 && sha256 === file.sha256) {
      counted = 0;
      return { path: file.path, bytes: file.bytes, sha256, driveId: id };
    }
    await removeFile(drive, id, signal);
    const whose = sha256 === file.sha256 ? 'Drive has other bytes than were sent' : 'checksum is not the announced one';
    return { restart: `${what}: ${whose}`, reason: 'checksum_mismatch' };
  } catch (error) {
    if (!(error instanceof SourceMismatchError)) throw error;
    return { restart: error.message, reason: 'checksum_mismatch' };
  } finally {
    parts.onBytes(-counted);
    over.abort();
    await source.return(undefined);
  }
}

/** Carries one file from provider to Drive and proves it arrived. Throws JobEnd, or what `signal` aborts with. */
export async function transferFile(
  parts: TransferParts,
  file: SourceFile,
  signal: AbortSignal,
): Promise<DeliveredFile> {
  for (let tries = 1; ; tries += 1) {
    const carried = await carry(parts, file, signal);
    if (!('restart' in carried)) return carried;
    if (tries >= TRIES_MAX) throw new JobEnd(carried.reason, carried.restart);
  }
}
