/** `/drive/v3/files`, `/about` and `/drives`: everything of Drive that is no upload and no permission. */
import { createReadStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import type { Router } from '@koa/router';
import type { Context } from 'koa';
import { readJson } from '../read-json.ts';
import { sendBytes } from '../send-bytes.ts';
import { GoogleError } from './errors.ts';
import { selectFields } from './fields.ts';
import { listPage } from './list-page.ts';
import { idOf, isTrue, numberOf, supportsAllDrives, textOf } from './parameters.ts';
import { applyMetadata, FILE_DEFAULT_FIELDS, newFileOf, readMetadata, resourceOf } from './resource.ts';
import { FOLDER, type DriveFile, type Tree } from './tree.ts';

const GENERATED_MAX = 1_000;
const LIST_DEFAULT_FIELDS = `kind,incompleteSearch,nextPageToken,files(${FILE_DEFAULT_FIELDS})`;
const DOWNLOAD_CHUNK_BYTES = 512 * 1024;

function download(ctx: Context, file: DriveFile): void {
  if (file.mimeType === FOLDER || !file.content)
    throw new GoogleError(403, 'fileNotDownloadable', 'Only files with binary content can be downloaded.', 'alt');
  const { path, size, md5Checksum } = file.content;
  if (path === undefined)
    throw new GoogleError(501, 'notImplemented', 'This sandbox keeps checksums only (SANDBOX_DISCARD).');
  sendBytes(ctx, {
    size,
    contentType: file.mimeType,
    etag: `"${md5Checksum}"`,
    open: (start, end) => createReadStream(path, { start, end, highWaterMark: DOWNLOAD_CHUNK_BYTES }),
  });
}

export function addFileRoutes(router: Router, tree: Tree, organizer: string): void {
  const answer = (ctx: Context, file: DriveFile): void => {
    ctx.body = selectFields(resourceOf(file, tree), textOf(ctx, 'fields'), FILE_DEFAULT_FIELDS);
  };
  const fileOf = (ctx: Context): DriveFile => tree.get(idOf(ctx), supportsAllDrives(ctx));

  router.get('files.generateIds', '/drive/v3/files/generateIds', (ctx) => {
    const count = numberOf(ctx, 'count', 1, GENERATED_MAX, 10);
    ctx.body = { kind: 'drive#generatedIds', space: 'drive', ids: Array.from({ length: count }, () => tree.newId()) };
  });
  router.post('files.create', '/drive/v3/files', async (ctx) => {
    const file = newFileOf(readMetadata(await readJson(ctx.req)), 'application/octet-stream');
    tree.checkNew(file, supportsAllDrives(ctx));
    answer(ctx, tree.add(file));
  });
  router.get('files.list', '/drive/v3/files', (ctx) => {
    const page = listPage(tree, {
      q: textOf(ctx, 'q') ?? '',
      orderBy: textOf(ctx, 'orderBy') ?? '',
      pageSize: numberOf(ctx, 'pageSize', 1, 1_000, 100),
      pageToken: textOf(ctx, 'pageToken'),
      // Everything here is in a shared drive, and a list without these two looks in My Drive only.
      isShared:
        supportsAllDrives(ctx) && (isTrue(ctx, 'includeItemsFromAllDrives') || isTrue(ctx, 'includeTeamDriveItems')),
      driveId: textOf(ctx, 'driveId'),
    });
    ctx.body = selectFields(
      {
        kind: 'drive#fileList',
        incompleteSearch: false,
        ...(page.nextPageToken === undefined ? {} : { nextPageToken: page.nextPageToken }),
        files: page.files.map((file) => resourceOf(file, tree)),
      },
      textOf(ctx, 'fields'),
      LIST_DEFAULT_FIELDS,
    );
  });
  router.get('files.get', '/drive/v3/files/:id', (ctx) => {
    // Content is given by id alone: rclone downloads from shared drives without saying that it supports them.
    if (textOf(ctx, 'alt') === 'media') download(ctx, tree.get(idOf(ctx), true));
    else answer(ctx, fileOf(ctx));
  });
  router.patch('files.update', '/drive/v3/files/:id', async (ctx) => {
    const file = fileOf(ctx);
    const change = readMetadata(await readJson(ctx.req));
    if (change.parents !== undefined)
      throw new GoogleError(
        403,
        'fieldNotWritable',
        'The parents field is not directly writable in update requests. Use the addParents and removeParents parameters instead.',
      );
    const ids = (name: string): string[] => (textOf(ctx, name) ?? '').split(',').filter((id) => id !== '');
    const [added, removed] = [ids('addParents'), ids('removeParents')];
    if (added.length + removed.length > 0) tree.move(file, added, removed);
    applyMetadata(file, change);
    answer(ctx, file);
  });
  router.delete('files.delete', '/drive/v3/files/:id', async (ctx) => {
    const file = fileOf(ctx);
    if (file.id === tree.driveId) throw new GoogleError(403, 'insufficientFilePermissions', 'A drive is no file.');
    const paths = tree.remove(file).flatMap(({ content }) => content?.path ?? []);
    for (const path of paths) await rm(path, { force: true });
    ctx.status = 204;
  });

  router.get('about.get', '/drive/v3/about', (ctx) => {
    if (textOf(ctx, 'fields') === undefined)
      throw new GoogleError(400, 'required', "The 'fields' parameter is required for this method.", 'fields');
    const user = { kind: 'drive#user', displayName: organizer, emailAddress: organizer, me: true };
    const storageQuota = { limit: '0', usage: '0', usageInDrive: '0', usageInDriveTrash: '0' };
    ctx.body = selectFields({ kind: 'drive#about', user, storageQuota }, textOf(ctx, 'fields'), '*');
  });
  const drive = { kind: 'drive#drive', id: tree.driveId, name: 'Lading sandbox' };
  router.get('drives.list', '/drive/v3/drives', (ctx) => {
    ctx.body = selectFields({ kind: 'drive#driveList', drives: [drive] }, textOf(ctx, 'fields'), '*');
  });
  router.get('drives.get', '/drive/v3/drives/:id', (ctx) => {
    if (idOf(ctx) !== tree.driveId)
      throw new GoogleError(404, 'notFound', `Shared drive not found: ${idOf(ctx)}`, 'driveId');
    const whole = { ...drive, createdTime: tree.get(tree.driveId, true).createdTime };
    ctx.body = selectFields(whole, textOf(ctx, 'fields'), 'kind,id,name');
  });
}
