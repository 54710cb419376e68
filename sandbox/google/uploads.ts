/** `/upload/drive/v3/files`: resumable, media and multipart; POST makes a file, PATCH gives one new content. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Router } from '@koa/router';
import type { Context, Middleware } from 'koa';
import { getRawBody } from 'raw-body';
import { faultOf } from '../faults-over-http.ts';
import { pacedBody } from '../paced-body.ts';
import { readJson } from '../read-json.ts';
import type { RequestCounts } from '../request-counts.ts';
import { makeContentSink } from './content-sink.ts';
import { GoogleError, invalid } from './errors.ts';
import { selectFields } from './fields.ts';
import { splitRelated } from './multipart-related.ts';
import { applyMetadata, FILE_DEFAULT_FIELDS, newFileOf, readMetadata, resourceOf, type Metadata } from './resource.ts';
import { supportsAllDrives, textOf } from './parameters.ts';
import type { Content, DriveFile, Tree } from './tree.ts';
import { putToSession, type UploadSessions } from './upload-sessions.ts';

/** Above Drive's 5 MB for these two kinds, so that a small course still works; larger ones must be resumable. */
const SIMPLE_MAX_BYTES = 16 * 1024 * 1024;
const UNNAMED = 'application/octet-stream';
const PATHS = ['/upload/drive/v3/files', '/upload/drive/v3/files/:id'];

export type UploadParts = {
  tree: Tree;
  sessions: UploadSessions;
  /** Where contents are kept; undefined: only their checksums. */
  contentDir: string | undefined;
  publicUrl: string;
  requireToken: Middleware;
  counts: RequestCounts;
};

const lengthOf = (ctx: Context): number | undefined => {
  const header = ctx.get('Content-Length');
  return /^\d{1,15}$/.test(header) ? Number(header) : undefined;
};

export function addUploadRoutes(router: Router, parts: UploadParts): void {
  const { tree, sessions, contentDir, publicUrl, requireToken, counts } = parts;
  let contents = 0;
  const newSink = () => {
    contents += 1;
    return makeContentSink(contentDir === undefined ? undefined : join(contentDir, String(contents)));
  };

  async function* counted(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const piece of pieces) {
      counts.received(piece.length);
      yield piece;
    }
  }

  /** Checks everything that can be known before the content, and answers how to end it. */
  const prepare = (ctx: Context, metadata: Metadata, mimeType: string) => {
    const isShared = supportsAllDrives(ctx);
    const fields = textOf(ctx, 'fields');
    const answer = (file: DriveFile): object => selectFields(resourceOf(file, tree), fields, FILE_DEFAULT_FIELDS);
    const id: string | undefined = ctx['params'].id;
    if (id !== undefined) {
      tree.get(id, isShared);
      return (content: Content): object => {
        const file = tree.get(id, isShared);
        const old = file.content?.path;
        if (old !== undefined) void rm(old, { force: true });
        applyMetadata(file, metadata.mimeType === undefined ? { ...metadata, mimeType } : metadata);
        file.content = content;
        return answer(file);
      };
    }
    const file = newFileOf(metadata, mimeType);
    tree.checkNew(file, isShared);
    return (content: Content): object => {
      tree.checkNew(file, isShared);
      return answer(tree.add({ ...file, content }));
    };
  };

  const startSession = async (ctx: Context): Promise<void> => {
    counts.name(ctx.req, 'upload.start');
    const type = ctx.get('X-Upload-Content-Type') || UNNAMED;
    const announced = ctx.get('X-Upload-Content-Length');
    if (announced !== '' && !/^\d{1,15}$/.test(announced)) throw invalid('X-Upload-Content-Length is no number');
    const complete = prepare(ctx, readMetadata(await readJson(ctx.req)), type);
    const total = announced === '' ? undefined : Number(announced);
    const id = sessions.start({ total, sink: newSink(), complete });
    ctx.set('Location', `${publicUrl}${ctx.path}?uploadType=resumable&upload_id=${id}`);
    ctx.set('X-GUploader-UploadID', id);
    ctx.status = 200;
    ctx.body = '';
  };

  const sendWhole = async (ctx: Context, metadata: Metadata, type: string, body: AsyncIterable<Buffer>) => {
    const complete = prepare(ctx, metadata, type);
    const sink = newSink();
    try {
      for await (const piece of body) await sink.write(piece);
      ctx.body = complete(await sink.finish());
    } catch (error) {
      await sink.discard();
      throw error;
    }
  };

  const start: Middleware = async (ctx) => {
    const kind = textOf(ctx, 'uploadType');
    if (kind === 'resumable') return await startSession(ctx);
    counts.name(ctx.req, `upload.${kind}`);
    if (kind === 'media')
      return await sendWhole(
        ctx,
        {},
        ctx.get('Content-Type') || UNNAMED,
        pacedBody(ctx.req, faultOf(ctx.req), ctx.socket),
      );
    if (kind !== 'multipart') throw invalid('Invalid Value', 'uploadType');
    const raw = await getRawBody(ctx.req, { limit: SIMPLE_MAX_BYTES });
    const [first, second] = splitRelated(ctx.get('Content-Type'), raw);
    if (!first || !second) throw invalid('Malformed multipart body.');
    const metadata = readMetadata(JSON.parse(first.body.toString('utf8')));
    await sendWhole(
      ctx,
      metadata,
      second.contentType,
      (async function* () {
        yield second.body;
      })(),
    );
  };

  const put: Middleware = async (ctx) => {
    const session = sessions.get(textOf(ctx, 'upload_id') ?? '');
    const contentRange = ctx.get('Content-Range') || undefined;
    counts.name(ctx.req, contentRange?.startsWith('bytes */') ? 'upload.query' : 'upload.chunk');
    if (!session) throw new GoogleError(404, 'notFound', 'Not Found');
    const fault = faultOf(ctx.req);
    const answer = await putToSession(session, {
      contentRange,
      contentLength: lengthOf(ctx),
      bytes: counted(pacedBody(ctx.req, fault, ctx.socket)),
      cut: () => void ctx.socket.destroy(),
      atMost: fault?.shortRange ?? Infinity,
    });
    if ('done' in answer) {
      ctx.status = 200;
      ctx.body = answer.done;
      return;
    }
    ctx.status = 308;
    ctx.message = 'Resume Incomplete';
    if (answer.kept > 0) ctx.set('Range', `bytes=0-${answer.kept - 1}`);
    ctx.body = '';
  };

  // A session's address is its own key, and takes content by POST as well (rclone sends it so).
  const orPut =
    (begin: Middleware): Middleware =>
    async (ctx, next) => {
      if (textOf(ctx, 'upload_id') !== undefined) await put(ctx, next);
      else await requireToken(ctx, () => begin(ctx, next));
    };
  for (const path of PATHS) {
    router.put(path, put);
    router.delete(path, async (ctx) => {
      const session = sessions.get(textOf(ctx, 'upload_id') ?? '');
      if (!session) throw new GoogleError(404, 'notFound', 'Not Found');
      await sessions.remove(session);
      ctx.status = 499;
      ctx.body = '';
    });
  }
  router.post('/upload/drive/v3/files', orPut(start));
  router.patch('/upload/drive/v3/files/:id', orPut(start));
  router.post(
    '/upload/drive/v3/files/:id',
    orPut(() => Promise.reject(invalid('Invalid Value', 'uploadType'))),
  );
}
