/** Where the upload of a file begins: in a new session, or where an earlier attempt of the job left off. */
import { ETAG_MAX_CHARS, SESSION_URL_MAX_CHARS, type KeptFile, type KeptSession } from './contract/sealed-session.ts';
import type { Drive } from './drive/call.ts';
import type { DriveResource } from './drive/resource.ts';
import { askSession, startSession, type Session, type UploadTarget } from './drive/upload.ts';
import type { SourceFile } from './providers/provider.ts';
import type { SessionLedger } from './session-ledger.ts';

export type Begun = Session & { readonly etag: string | undefined };

const isOf = (file: SourceFile, target: UploadTarget, kept: KeptSession): kept is KeptFile =>
  'sha256' in kept && kept.parentId === target.parentId && kept.sha256 === file.sha256 && kept.bytes === file.bytes;

/** Goes on with `kept` where Drive still knows it and it is of this very file. Throws JobEnd. */
export async function beginUpload(
  drive: Drive,
  { file, target, kept }: { file: SourceFile; target: UploadTarget; kept: KeptSession | undefined },
  signal: AbortSignal,
): Promise<Begun | { readonly complete: DriveResource }> {
  if (kept !== undefined && isOf(file, target, kept)) {
    const found = await askSession(drive, target, kept.url, signal);
    if (found !== 'expired') return 'complete' in found ? found : { ...found, etag: kept.etag };
  }
  return { url: await startSession(drive, target, signal), confirmed: 0, etag: undefined };
}

/** Keeps a session that was begun for a later attempt, with the tag of the source its bytes come from. */
export async function keepBegun(
  ledger: SessionLedger,
  { file, target, url, etag }: { file: SourceFile; target: UploadTarget; url: string; etag: string | undefined },
): Promise<void> {
  // Not what Drive makes; such a file would start again.
  if (url.length > SESSION_URL_MAX_CHARS) return;
  await ledger.keep(file.path, {
    url,
    parentId: target.parentId,
    sha256: file.sha256,
    bytes: file.bytes,
    ...(etag === undefined || etag.length > ETAG_MAX_CHARS ? {} : { etag }),
  });
}
