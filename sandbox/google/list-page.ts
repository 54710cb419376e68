import { invalid } from './errors.ts';
import { parseQuery } from './query.ts';
import { FOLDER, type DriveFile, type Tree } from './tree.ts';

export type ListRequest = {
  q: string;
  orderBy: string;
  pageSize: number;
  pageToken: string | undefined;
  isShared: boolean;
  driveId: string | undefined;
};

const KEYS: Readonly<Record<string, (a: DriveFile, b: DriveFile) => number>> = {
  name: (a, b) => a.name.localeCompare(b.name),
  name_natural: (a, b) => a.name.localeCompare(b.name, undefined, { numeric: true }),
  createdTime: (a, b) => a.createdTime.localeCompare(b.createdTime),
  modifiedTime: (a, b) => a.modifiedTime.localeCompare(b.modifiedTime),
  folder: (a, b) => Number(b.mimeType === FOLDER) - Number(a.mimeType === FOLDER),
};

function orderOf(orderBy: string): (a: DriveFile, b: DriveFile) => number {
  const orders = orderBy
    .split(',')
    .filter((part) => part.trim() !== '')
    .map((part) => {
      const [key = '', direction] = part.trim().split(/\s+/);
      const order = KEYS[key];
      if (!order) throw invalid('Invalid Value', 'orderBy');
      return direction === 'desc' ? (a: DriveFile, b: DriveFile) => order(b, a) : order;
    });
  return (a, b) => orders.reduce((found, order) => found || order(a, b), 0);
}

const offsetOf = (token: string): number => {
  const offset = Number(
    Buffer.from(token, 'base64url')
      .toString('utf8')
      .replace(/^from:/, ''),
  );
  if (!Number.isInteger(offset) || offset < 0) throw invalid('Invalid Value', 'pageToken');
  return offset;
};

/** One page of `files.list`. Throws GoogleError 400 on a bad query, order or token. */
export function listPage(tree: Tree, request: ListRequest): { files: DriveFile[]; nextPageToken?: string } {
  const query = parseQuery(request.q);
  const isElsewhere = request.driveId !== undefined && request.driveId !== tree.driveId;
  const candidates = query.parent === undefined ? tree.all() : tree.childrenOf(query.parent);
  const found = request.isShared && !isElsewhere ? candidates.filter((file) => query.matches(file)) : [];
  found.sort(orderOf(request.orderBy));
  const from = request.pageToken === undefined ? 0 : offsetOf(request.pageToken);
  const to = from + request.pageSize;
  const files = found.slice(from, to);
  return to < found.length ? { files, nextPageToken: Buffer.from(`from:${to}`).toString('base64url') } : { files };
}
