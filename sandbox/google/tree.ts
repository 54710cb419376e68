/** The files of one shared drive, in memory. The drive's own folder has the drive's id, as with Google. */
import { createHash, randomBytes } from 'node:crypto';
import { GoogleError, invalid, notFound } from './errors.ts';

export const FOLDER = 'application/vnd.google-apps.folder';
const FILES_MAX = 1_000_000;
const DEPTH_MAX = 100;

export type Content = { size: number; sha256Checksum: string; md5Checksum: string; path: string | undefined };
export type Permission = {
  kind: 'drive#permission';
  id: string;
  type: 'user' | 'group' | 'domain' | 'anyone';
  role: string;
  emailAddress?: string;
  domain?: string;
  displayName?: string;
  expirationTime?: string;
  deleted: boolean;
};
export type DriveFile = {
  id: string;
  name: string;
  mimeType: string;
  parents: string[];
  appProperties: Record<string, string>;
  description?: string;
  copyRequiresWriterPermission?: boolean;
  createdTime: string;
  modifiedTime: string;
  version: number;
  trashed: boolean;
  content?: Content;
  permissions: Map<string, Permission>;
};

export type NewFile = Pick<DriveFile, 'name' | 'mimeType' | 'parents' | 'appProperties'> &
  Partial<
    Pick<DriveFile, 'id' | 'description' | 'copyRequiresWriterPermission' | 'content' | 'createdTime' | 'modifiedTime'>
  >;

export type Tree = {
  readonly driveId: string;
  newId: () => string;
  /** Throws GoogleError 404 where there is no such file, or where the caller does not support shared drives. */
  get: (id: string, supportsAllDrives: boolean) => DriveFile;
  /** Throws what Drive throws for these parents and this id: 404, 409 fileIdInUse, 403 storageQuotaExceeded. */
  checkNew: (file: Pick<NewFile, 'parents'> & { id?: string | undefined }, supportsAllDrives: boolean) => void;
  add: (file: NewFile) => DriveFile;
  move: (file: DriveFile, added: readonly string[], removed: readonly string[]) => void;
  /** Takes the file and all below it away; answers what was removed. */
  remove: (file: DriveFile) => DriveFile[];
  childrenOf: (parent: string) => DriveFile[];
  all: () => DriveFile[];
  /** Path below the shared drive, `/` between names. */
  pathOf: (file: DriveFile) => string;
};

/** A user has one permission id everywhere, so that granting twice changes nothing. */
export const permissionIdOf = (subject: string): string =>
  BigInt(`0x${createHash('sha256').update(subject.toLowerCase()).digest('hex').slice(0, 16)}`)
    .toString()
    .padStart(20, '0');

const now = (): string => new Date().toISOString();

export function makeTree(driveId: string, organizer: string): Tree {
  const files = new Map<string, DriveFile>();
  const children = new Map<string, Set<string>>();
  const generated = new Set<string>();
  const newId = (): string => {
    const id = `1${randomBytes(24).toString('base64url')}`;
    generated.add(id);
    return id;
  };
  const adopt = (file: DriveFile): void => {
    files.set(file.id, file);
    for (const parent of file.parents) children.set(parent, (children.get(parent) ?? new Set()).add(file.id));
  };
  const found = (id: string): DriveFile => {
    const file = files.get(id);
    if (!file) throw notFound(id);
    return file;
  };

  const owner: Permission = {
    kind: 'drive#permission',
    id: permissionIdOf(organizer),
    type: 'user',
    role: 'organizer',
    emailAddress: organizer,
    displayName: organizer,
    deleted: false,
  };
  adopt({
    id: driveId,
    name: 'Drive',
    mimeType: FOLDER,
    parents: [],
    appProperties: {},
    createdTime: now(),
    modifiedTime: now(),
    version: 1,
    trashed: false,
    permissions: new Map([[owner.id, owner]]),
  });

  return {
    driveId,
    newId,
    get: (id, supportsAllDrives) => {
      if (!supportsAllDrives) throw notFound(id);
      return found(id);
    },
    checkNew: ({ id, parents }, supportsAllDrives) => {
      if (id !== undefined && files.has(id))
        throw new GoogleError(409, 'fileIdInUse', 'A file already exists with the provided ID.');
      if (id !== undefined && !generated.has(id)) throw invalid('The provided file ID is not usable.', 'file.id');
      if (parents.length > 1) throw invalid('A shared drive item must have exactly one parent.', 'parents');
      const [parent] = parents;
      if (parent === undefined || parent === 'root')
        throw new GoogleError(
          403,
          'storageQuotaExceeded',
          'Service Accounts do not have storage quota. Leverage shared drives, or use OAuth delegation instead.',
        );
      if (!supportsAllDrives || !files.has(parent)) throw notFound(parent);
      if (files.get(parent)?.mimeType !== FOLDER)
        throw new GoogleError(403, 'parentNotAFolder', 'The specified parent is not a folder.');
    },
    add: (file) => {
      if (files.size >= FILES_MAX)
        throw new GoogleError(
          403,
          'teamDriveFileLimitExceeded',
          'The file limit for this shared drive has been exceeded.',
        );
      const made: DriveFile = {
        ...file,
        id: file.id ?? newId(),
        createdTime: file.createdTime ?? now(),
        modifiedTime: file.modifiedTime ?? now(),
        version: 1,
        trashed: false,
        permissions: new Map(),
      };
      adopt(made);
      return made;
    },
    move: (file, added, removed) => {
      const parents = file.parents.filter((parent) => !removed.includes(parent)).concat(added);
      if (parents.length !== 1) throw invalid('A shared drive item must have exactly one parent.', 'addParents');
      for (const parent of added) found(parent);
      for (const parent of file.parents) children.get(parent)?.delete(file.id);
      file.parents = parents;
      adopt(file);
    },
    remove: (file) => {
      const gone: DriveFile[] = [file];
      for (const each of gone)
        for (const id of children.get(each.id) ?? []) {
          const child = files.get(id);
          if (child) gone.push(child);
        }
      for (const each of gone) {
        files.delete(each.id);
        children.delete(each.id);
        for (const parent of each.parents) children.get(parent)?.delete(each.id);
      }
      return gone;
    },
    childrenOf: (parent) => [...(children.get(parent) ?? [])].flatMap((id) => files.get(id) ?? []),
    all: () => [...files.values()].filter(({ id }) => id !== driveId),
    pathOf: (file) => {
      const names: string[] = [];
      for (let at: DriveFile | undefined = file, depth = 0; at && at.id !== driveId && depth < DEPTH_MAX; depth += 1) {
        names.unshift(at.name);
        at = files.get(at.parents[0] ?? '');
      }
      return names.join('/');
    },
  };
}
