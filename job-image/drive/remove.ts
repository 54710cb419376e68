import { JobEnd } from '../ending.ts';
import type { Drive } from './call.ts';

/**
 * Takes a file of ours out of the order's folder. Deleting for good needs a manager of the shared drive; a content manager
 * may only move to the trash, so that is what is tried next. Throws JobEnd where neither is allowed.
 */
export async function removeFile(drive: Drive, id: string, signal: AbortSignal): Promise<void> {
  const path = `/drive/v3/files/${encodeURIComponent(id)}`;
  try {
    await drive.call({ method: 'DELETE', path, what: 'removal' }, signal);
  } catch (error) {
    if (!(error instanceof JobEnd) || error.reason !== 'drive_denied') throw error;
    await drive.call(
      { method: 'PATCH', path, query: { fields: 'id' }, json: { trashed: true }, what: 'trash' },
      signal,
    );
  }
}
