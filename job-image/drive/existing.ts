/** What earlier attempts of the same job left in the order's folder: one flat listing, put together to paths here. */
import type { Drive } from './call.ts';
import { JobEnd } from '../ending.ts';
import { FOLDER_TYPE, ofJob, parseList, type DriveResource } from './resource.ts';

const PAGE_FILES = 1_000;
/** Files and folders of the largest course, with duplicates. */
const PAGES_MAX = 40;
const DEPTH_MAX = 512;

export type Existing = {
  /** Ids of folders, by path below the order's folder. */
  readonly folders: ReadonlyMap<string, string>;
  /** Files by path; more than one where an attempt was cut off between upload and answer. */
  readonly files: ReadonlyMap<string, readonly DriveResource[]>;
};

export const NOTHING_EXISTS: Existing = { folders: new Map(), files: new Map() };

/** Paths of `resources` below `rootId`, by their chains of parents; what hangs elsewhere is left out. */
export function arrange(rootId: string, resources: readonly DriveResource[]): Existing {
  const byId = new Map(resources.map((resource) => [resource.id, resource]));
  const pathOf = (resource: DriveResource): string | undefined => {
    const names: string[] = [];
    for (let at: DriveResource | undefined = resource; at !== undefined; at = byId.get(at.parents?.[0] ?? '')) {
      names.unshift((at.name ?? '').normalize('NFC'));
      if (at.parents?.[0] === rootId) return names.join('/');
      if (names.length > DEPTH_MAX) return undefined;
    }
    return undefined;
  };
  const folders = new Map<string, string>();
  const files = new Map<string, DriveResource[]>();
  for (const resource of resources) {
    const path = resource.id === rootId ? undefined : pathOf(resource);
    if (path === undefined) continue;
    if (resource.mimeType !== FOLDER_TYPE) files.set(path, [...(files.get(path) ?? []), resource]);
    else if (!folders.has(path)) folders.set(path, resource.id);
  }
  return { folders, files };
}

/** Throws JobEnd. */
export async function listExisting(
  drive: Drive,
  jobId: string,
  rootId: string,
  signal: AbortSignal,
): Promise<Existing> {
  const what = 'listing of earlier files';
  const resources: DriveResource[] = [];
  let pageToken: string | undefined;
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const answer = await drive.call(
      {
        method: 'GET',
        path: '/drive/v3/files',
        query: {
          q: ofJob(jobId),
          fields: 'nextPageToken,files(id,name,mimeType,parents,size,sha256Checksum,appProperties)',
          orderBy: 'createdTime',
          pageSize: String(PAGE_FILES),
          includeItemsFromAllDrives: 'true',
          ...(pageToken === undefined ? {} : { pageToken }),
        },
        what,
      },
      signal,
    );
    const list = parseList(answer.body, what);
    resources.push(...list.files);
    pageToken = list.nextPageToken;
    if (pageToken === undefined) return arrange(rootId, resources);
  }
  throw new JobEnd('drive_denied', `${what}: more than ${PAGES_MAX * PAGE_FILES} entries`);
}
