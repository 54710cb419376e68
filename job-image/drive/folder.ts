/**
 * The order's folder and those below it. A folder is looked for before it is made again, so that an answer lost on the
 * way never makes two; within the job each is asked for once, however many files want it.
 */
import { withRetries } from '../retry.ts';
import { driveAway, type Drive } from './call.ts';
import { FOLDER_TYPE, JOB_PROPERTY, ofJob, parseList, parseResource, quoted } from './resource.ts';

type Place = { readonly parentId: string; readonly name: string; readonly isRoot: boolean };

async function findFolder(drive: Drive, jobId: string, place: Place, signal: AbortSignal): Promise<string | undefined> {
  const what = 'folder';
  const byName = place.isRoot ? '' : ` and name = ${quoted(place.name)}`;
  const answer = await drive.call(
    {
      method: 'GET',
      path: '/drive/v3/files',
      query: {
        q: `${quoted(place.parentId)} in parents and mimeType = ${quoted(FOLDER_TYPE)} and ${ofJob(jobId)}${byName}`,
        fields: 'files(id)',
        orderBy: 'createdTime',
        pageSize: '1',
        includeItemsFromAllDrives: 'true',
      },
      what,
    },
    signal,
  );
  return parseList(answer.body, what).files[0]?.id;
}

async function makeFolder(drive: Drive, jobId: string, place: Place, signal: AbortSignal): Promise<string> {
  let isRepeated = false;
  return await withRetries(
    drive.retry,
    signal,
    async () => {
      const found = isRepeated ? await findFolder(drive, jobId, place, signal) : undefined;
      if (found !== undefined) return { done: found };
      isRepeated = true;
      const made = await drive.once(
        {
          method: 'POST',
          path: '/drive/v3/files',
          query: { fields: 'id' },
          json: {
            name: place.name,
            mimeType: FOLDER_TYPE,
            parents: [place.parentId],
            appProperties: { [JOB_PROPERTY]: jobId },
          },
          what: 'folder',
        },
        signal,
      );
      return 'again' in made ? made : { done: parseResource(made.done.body, 'folder').id };
    },
    driveAway,
  );
}

type Order = { readonly jobId: string; readonly parentFolderId: string; readonly folderName: string };
const placeOf = ({ parentFolderId, folderName }: Order): Place => ({
  parentId: parentFolderId,
  name: folderName,
  isRoot: true,
});

/** The id of this job's folder, whatever it is called by now; undefined while there is none. Throws JobEnd. */
export const findOrderFolder = (drive: Drive, order: Order, signal: AbortSignal): Promise<string | undefined> =>
  findFolder(drive, order.jobId, placeOf(order), signal);

/** Makes it where there is none. Throws JobEnd. */
export const makeOrderFolder = (drive: Drive, order: Order, signal: AbortSignal): Promise<string> =>
  makeFolder(drive, order.jobId, placeOf(order), signal);

/** Answers the id of the folder at `parts` below the order's folder, making what is missing. Throws JobEnd. */
export type FolderAt = (parts: readonly string[]) => Promise<string>;

/** `known` holds the ids of folders that are there already, by path. */
export function makeFolderTree(
  drive: Drive,
  options: { jobId: string; rootId: string; known: ReadonlyMap<string, string> },
  signal: AbortSignal,
): FolderAt {
  const ids = new Map<string, Promise<string>>([...options.known].map(([path, id]) => [path, Promise.resolve(id)]));
  const folderAt: FolderAt = (parts) => {
    const name = parts.at(-1);
    if (name === undefined) return Promise.resolve(options.rootId);
    const path = parts.join('/');
    const asked = ids.get(path);
    if (asked !== undefined) return asked;
    const id = folderAt(parts.slice(0, -1)).then((parentId) =>
      makeFolder(drive, options.jobId, { parentId, name, isRoot: false }, signal),
    );
    ids.set(path, id);
    return id;
  };
  return folderAt;
}
