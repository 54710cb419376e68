import type { KeptSession } from './contract/sealed-session.ts';
import type { DeliveredFile } from './contract/signed-call.ts';
import type { Drive } from './drive/call.ts';
import type { Existing } from './drive/existing.ts';
import type { FolderAt } from './drive/folder.ts';
import { removeFile } from './drive/remove.ts';
import type { DriveResource } from './drive/resource.ts';
import { chunkBytesFor } from './drive/upload.ts';
import type { ProgressMeter } from './progress.ts';
import type { Provider, SourceFile } from './providers/provider.ts';
import type { SessionLedger } from './session-ledger.ts';
import { transferFile } from './transfer-file.ts';

/**
 * Of a file up to this size the round trips cost more than the bytes: so many times more of them are carried at once. All
 * that they hold together is less than the chunks of the large ones.
 */
const SMALL_FILE_MAX_BYTES = 1024 * 1024;
const SMALL_FILES_FACTOR = 3;

const smallFilesAtOnce = (parallelFiles: number): number => parallelFiles * SMALL_FILES_FACTOR;
/** Large and small together, where `parallelFiles` large ones are allowed. */
export const filesAtOnce = (parallelFiles: number): number => parallelFiles + smallFilesAtOnce(parallelFiles);

const fits = (file: SourceFile, resource: DriveResource): boolean =>
  resource.size === file.bytes && resource.sha256Checksum === file.sha256;

/** What of `found` can stay as the delivery of `file`, and what must go. */
export function keepOne(
  file: SourceFile,
  found: readonly DriveResource[],
): { kept: DriveResource | undefined; surplus: readonly DriveResource[] } {
  const kept = found.find((resource) => fits(file, resource));
  return { kept, surplus: found.filter((resource) => resource !== kept) };
}

/**
 * Carries all files, `parallelFiles` large ones and more small ones at once; the first failure stops the others and is
 * thrown. Files that an earlier attempt delivered are kept, and those it left half sent go on. Answers in the order of
 * `files`.
 */
export async function transferAll(
  options: {
    readonly provider: Provider;
    readonly drive: Drive;
    readonly folderAt: FolderAt;
    readonly existing: Existing;
    readonly files: readonly SourceFile[];
    readonly jobId: string;
    readonly parallelFiles: number;
    readonly progress: ProgressMeter;
    readonly ledger: SessionLedger;
    /** What earlier attempts kept, by path. */
    readonly kept: ReadonlyMap<string, KeptSession>;
  },
  signal: AbortSignal,
): Promise<DeliveredFile[]> {
  const {
    provider,
    drive,
    folderAt,
    existing,
    files,
    jobId,
    parallelFiles,
    progress,
    ledger,
    kept: sessions,
  } = options;
  const chunkBytes = chunkBytesFor(Math.min(parallelFiles, files.length));
  const parts = {
    provider,
    drive,
    folderAt,
    jobId,
    chunkBytes,
    ledger,
    onBytes: progress.bytes,
    onResumed: progress.resumed,
  };
  const stopped = new AbortController();
  const either = AbortSignal.any([signal, stopped.signal]);

  async function deliver(file: SourceFile): Promise<DeliveredFile> {
    const { kept, surplus } = keepOne(file, existing.files.get(file.path) ?? []);
    for (const { id } of surplus) await removeFile(drive, id, either);
    if (kept !== undefined) {
      progress.skipped(file.bytes);
      return { path: file.path, bytes: file.bytes, sha256: file.sha256, driveId: kept.id };
    }
    const delivered = await transferFile(parts, file, sessions.get(file.path), either);
    progress.fileDone();
    return delivered;
  }

  const delivered = Array.from<DeliveredFile>({ length: files.length });
  const ofSize = (isSmall: boolean) =>
    [...files.entries()].filter(([, file]) => file.bytes <= SMALL_FILE_MAX_BYTES === isSmall).values();
  let failure: { cause: unknown } | undefined;
  const carrier = async (left: Iterable<[number, SourceFile]>): Promise<void> => {
    for (const [index, file] of left) {
      try {
        delivered[index] = await deliver(file);
      } catch (cause) {
        failure ??= { cause };
        stopped.abort(cause);
        return;
      }
    }
  };
  const [large, small] = [ofSize(false), ofSize(true)];
  await Promise.all([
    ...Array.from({ length: parallelFiles }, () => carrier(large)),
    ...Array.from({ length: smallFilesAtOnce(parallelFiles) }, () => carrier(small)),
  ]);
  if (failure !== undefined) throw failure.cause;
  return delivered;
}
