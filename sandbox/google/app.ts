/** Google's OAuth token endpoint and Drive v3 for one shared drive; what is answered and refused follows facts about both. */
import type { RequestListener } from 'node:http';
import { Router } from '@koa/router';
import Koa from 'koa';
import type { ServiceAccount } from '../credentials.ts';
import { isOutside } from '../connection-ends.ts';
import { makeFaults } from '../faults.ts';
import { addFaultRoutes, faultsMiddleware } from '../faults-over-http.ts';
import { makeRequestCounts } from '../request-counts.ts';
import type { Log } from '../run.ts';
import { GoogleError, writeGoogleError, writeThrown } from './errors.ts';
import { addFileRoutes } from './files.ts';
import { makeOauth } from './oauth.ts';
import { addPermissionRoutes, type GrantNotice } from './permissions.ts';
import { makeTree } from './tree.ts';
import { addUploadRoutes } from './uploads.ts';
import { makeUploadSessions } from './upload-sessions.ts';

export type GoogleOptions = {
  accounts: readonly ServiceAccount[];
  /** Base of every URL that is handed out, without a trailing slash. */
  publicUrl: string;
  sharedDriveId: string;
  /** An empty folder where contents are kept; undefined: only their checksums. */
  dataDir: string | undefined;
  log: Log;
};

export function makeGoogle({ accounts, publicUrl, sharedDriveId, dataDir, log }: GoogleOptions): RequestListener {
  const organizer = accounts[0]?.client_email ?? 'nobody@example.org';
  const tree = makeTree(sharedDriveId, organizer);
  const sessions = makeUploadSessions();
  const faults = makeFaults();
  const counts = makeRequestCounts();
  const notices: GrantNotice[] = [];
  const oauth = makeOauth(() => accounts, publicUrl);

  const open = new Router();
  oauth.addRoutes(open);
  addFaultRoutes(open, faults);
  counts.addRoutes(open);
  open.get('/sandbox/files', (ctx) => {
    ctx.body = tree.all().map((file) => ({
      id: file.id,
      name: file.name,
      path: tree.pathOf(file),
      mimeType: file.mimeType,
      size: file.content?.size ?? null,
      sha256: file.content?.sha256Checksum ?? null,
      appProperties: file.appProperties,
      permissions: [...file.permissions.values()],
      trashed: file.trashed,
    }));
  });
  open.get('/sandbox/notices', (ctx) => {
    ctx.body = notices;
  });
  open.delete('/sandbox/sessions', async (ctx) => {
    await sessions.clear();
    ctx.status = 204;
  });
  addUploadRoutes(open, { tree, sessions, contentDir: dataDir, publicUrl, requireToken: oauth.requireToken, counts });

  const drive = new Router();
  drive.use(oauth.requireToken);
  addPermissionRoutes(drive, tree, notices);
  addFileRoutes(drive, tree, organizer);

  const app = new Koa();
  app.on('error', (error: unknown) => {
    if (isOutside(error)) log.debug({ err: error }, 'connection ended early');
    else log.error({ err: error }, 'request failed');
  });
  app.use(counts.middleware);
  app.use(async (ctx, next) => {
    try {
      await next();
      if (ctx.status === 404 && ctx.body === undefined) writeGoogleError(ctx, 404, 'notFound', 'Not Found');
    } catch (error) {
      if (!(error instanceof GoogleError)) throw error;
      writeThrown(ctx, error);
    }
  });
  app.use(faultsMiddleware(faults, (ctx, status, fault) => writeGoogleError(ctx, status, fault.reason, fault.message)));
  app.use(open.routes()).use(drive.routes());
  return app.callback();
}
