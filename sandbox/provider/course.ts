import type { Readable } from 'node:stream';

export type CourseFile = {
  /** Path below the course, `/` between parts, NFC. */
  path: string;
  bytes: number;
  sha256: string;
  contentType: string;
  open: (start: number, end: number) => Readable;
};

export type Course = {
  id: string;
  title: string;
  /** undefined: the manifest says nothing of protection. */
  protection: string | undefined;
  files: readonly CourseFile[];
};

const TYPES: Readonly<Record<string, string>> = {
  css: 'text/css; charset=utf-8',
  gif: 'image/gif',
  html: 'text/html; charset=utf-8',
  jpg: 'image/jpeg',
  js: 'text/javascript; charset=utf-8',
  json: 'application/json',
  md: 'text/markdown; charset=utf-8',
  mkv: 'video/x-matroska',
  mov: 'video/quicktime',
  mp4: 'video/mp4',
  pdf: 'application/pdf',
  png: 'image/png',
  svg: 'image/svg+xml',
  txt: 'text/plain; charset=utf-8',
};

export const contentTypeOf = (path: string): string =>
  TYPES[/\.([^./]+)$/.exec(path)?.[1]?.toLowerCase() ?? ''] ?? 'application/octet-stream';

/** By code point, so that the order is the same everywhere. */
export const byPath = (a: { path: string }, b: { path: string }): number =>
  a.path < b.path ? -1 : Number(a.path > b.path);

/** The manifest of a course; `query` (with its `?`) is handed on to the file URLs. */
export const manifestOf = ({ id, title, protection, files }: Course, query: string): object => ({
  format: 'lading-manifest/1',
  course: id,
  title,
  ...(protection === undefined ? {} : { protection }),
  files: files.toSorted(byPath).map(({ path, bytes, sha256, contentType }) => ({
    path,
    url: `files/${path.split('/').map(encodeURIComponent).join('/')}${query}`,
    bytes,
    sha256,
    contentType,
  })),
});
