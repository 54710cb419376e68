/**
 * The manifest: what a provider of plain files says of one course.
 *
 *   { "format": "lading-manifest/1", "course": …, "title": …, "protection": "none",
 *     "files": [{ "path", "url" (absolute, or relative to the manifest), "bytes", "sha256", "contentType"? }] }
 *
 * Protection is judged first and fails closed: nothing but the exact word "none" passes.
 */
import { z } from 'zod';
import { FILES_MAX } from '../contract/signed-call.ts';
import { JobEnd } from '../ending.ts';
import { clashingPath, pathProblem } from './path-rules.ts';
import type { SourceFile } from './provider.ts';

/** Sum over all files; with the rest of each entry the finalize call stays under FINALIZE_MAX_BYTES. */
const PATHS_MAX_BYTES = 2 * 1024 * 1024;
const URL_MAX_CHARS = 4_096;

const fileSchema = z.object({
  path: z.string(),
  url: z.string().min(1).max(URL_MAX_CHARS),
  bytes: z.int().min(0),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  contentType: z.string().max(255).optional(),
  protection: z.literal('none').optional(),
});
const manifestSchema = z.object({
  format: z.literal('lading-manifest/1'),
  files: z.array(fileSchema).min(1).max(FILES_MAX),
});
const protectionSchema = z.object({
  protection: z.literal('none'),
  files: z.array(z.looseObject({ protection: z.literal('none').optional() })).optional(),
});

export type ManifestFile = SourceFile & { readonly url: URL };

const STREAM_TYPES = new Set([
  'application/dash+xml',
  'application/vnd.apple.mpegurl',
  'application/x-mpegurl',
  'audio/mpegurl',
  'audio/x-mpegurl',
  'application/vnd.ms-sstr+xml',
]);
const STREAM_EXTENSION = /\.(m3u8?|mpd|ism[cv]?)$/i;

/** A play list of a stream: what it leads to may be encrypted, so it is refused until it can be judged. */
export function isStreamContainer(name: string, contentType: string | undefined): boolean {
  const type = contentType?.split(';')[0]?.trim().toLowerCase() ?? '';
  return STREAM_TYPES.has(type) || STREAM_EXTENSION.test(name);
}

const invalid = (detail: string): JobEnd => new JobEnd('manifest_invalid', `manifest: ${detail}`);

function resolveUrl(url: string, manifestUrl: string, path: string): URL {
  const resolved = URL.parse(url, manifestUrl);
  if (resolved?.protocol !== 'https:' || resolved.username !== '' || resolved.password !== '')
    throw invalid(`${JSON.stringify(path)} has no plain https address`);
  return resolved;
}

/** Judges the parsed JSON of a manifest. Throws JobEnd manifest_invalid or protected_content. */
export function readManifest(json: unknown, manifestUrl: string): ManifestFile[] {
  if (!protectionSchema.safeParse(json).success)
    throw new JobEnd('protected_content', 'manifest: protection is not declared as "none"');
  const parsed = manifestSchema.safeParse(json);
  if (!parsed.success) throw invalid(z.prettifyError(parsed.error));
  // A letter and its marks may be written in several ways; the file's address stays as it was given.
  const files = parsed.data.files.map((file) => ({ ...file, path: file.path.normalize('NFC') }));
  for (const { path } of files) {
    const problem = pathProblem(path);
    if (problem !== undefined) throw invalid(`path ${JSON.stringify(path.slice(0, 200))} ${problem}`);
  }
  const clash = clashingPath(files.map(({ path }) => path));
  if (clash !== undefined) throw invalid(`path ${JSON.stringify(clash)} stands there twice`);
  const pathBytes = files.reduce((sum, { path }) => sum + Buffer.byteLength(path), 0);
  if (pathBytes > PATHS_MAX_BYTES) throw invalid(`paths of ${pathBytes} bytes in all`);
  return files.map(({ path, url, bytes, sha256, contentType }) => {
    const resolved = resolveUrl(url, manifestUrl, path);
    if (isStreamContainer(path, contentType) || isStreamContainer(resolved.pathname, contentType))
      throw new JobEnd('protected_content', `${JSON.stringify(path)} is a stream whose protection is unknown`);
    return { path, url: resolved, bytes, sha256, contentType };
  });
}
