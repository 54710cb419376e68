import type { Router } from '@koa/router';
import { z } from 'zod';
import { readJson } from '../read-json.ts';
import { GoogleError, invalid } from './errors.ts';
import { selectFields } from './fields.ts';
import { idOf, isTrue, supportsAllDrives, textOf } from './parameters.ts';
import { permissionIdOf, type Permission, type Tree } from './tree.ts';

const DEFAULT_FIELDS = 'kind,id,type,role';
const YEAR_MS = 366 * 86_400_000;
const DEPTH_MAX = 100;

const requestSchema = z.object({
  type: z.enum(['user', 'group', 'domain', 'anyone']),
  role: z.enum(['organizer', 'fileOrganizer', 'writer', 'commenter', 'reader']),
  emailAddress: z.email().optional(),
  domain: z.string().optional(),
  expirationTime: z.iso.datetime({ offset: true }).optional(),
});
type PermissionRequest = z.infer<typeof requestSchema>;

/** Mails that Drive would have sent about a grant. */
export type GrantNotice = { fileId: string; emailAddress: string; message: string; sentAt: string };
const NOTICES_MAX = 10_000;

/** An address without a Google account: Drive can share with it only by mail. Told apart here by a plus tag. */
const hasNoAccount = (email: string): boolean => email.includes('+no-google-account@');

function read(body: unknown): PermissionRequest {
  const parsed = requestSchema.safeParse(body);
  if (!parsed.success) throw invalid(`Invalid Value: ${z.prettifyError(parsed.error)}`, 'permission');
  const { type, emailAddress, domain, expirationTime } = parsed.data;
  const isPerson = type === 'user' || type === 'group';
  if (isPerson && emailAddress === undefined)
    throw new GoogleError(400, 'required', 'The permission email address is required.', 'permission.emailAddress');
  if (type === 'domain' && domain === undefined)
    throw new GoogleError(400, 'required', 'The permission domain is required.', 'permission.domain');
  const aheadMs = expirationTime === undefined ? undefined : Date.parse(expirationTime) - Date.now();
  if (aheadMs !== undefined && (!isPerson || aheadMs <= 0 || aheadMs > YEAR_MS))
    throw new GoogleError(403, 'cannotSetExpiration', 'The expiration date must be in the future and within a year.');
  return parsed.data;
}

const permissionIdFor = ({ type, emailAddress, domain }: PermissionRequest): string =>
  type === 'anyone' ? 'anyoneWithLink' : permissionIdOf(`${type}:${emailAddress ?? domain ?? ''}`);

const permissionOf = (request: PermissionRequest): Permission => ({
  kind: 'drive#permission',
  id: permissionIdFor(request),
  type: request.type,
  role: request.role,
  deleted: false,
  ...(request.emailAddress && { emailAddress: request.emailAddress, displayName: request.emailAddress }),
  ...(request.domain && { domain: request.domain, displayName: request.domain }),
  ...(request.expirationTime && { expirationTime: request.expirationTime }),
});

/** Permissions of a file: its own first, then those of the folders above it that it does not override. */
function effective(tree: Tree, fileId: string): Permission[] {
  const found = new Map<string, Permission>();
  let id: string | undefined = fileId;
  for (let depth = 0; id !== undefined && depth < DEPTH_MAX; depth += 1) {
    const file = tree.get(id, true);
    for (const permission of file.permissions.values())
      if (!found.has(permission.id)) found.set(permission.id, permission);
    id = file.parents[0];
  }
  return [...found.values()];
}

const missing = (id: string): GoogleError =>
  new GoogleError(404, 'notFound', `Permission not found: ${id}.`, 'permissionId');

export function addPermissionRoutes(router: Router, tree: Tree, notices: GrantNotice[]): void {
  const base = '/drive/v3/files/:id/permissions';
  router.post('permissions.create', base, async (ctx) => {
    const file = tree.get(idOf(ctx), supportsAllDrives(ctx));
    const request = read(await readJson(ctx.req));
    const { emailAddress } = request;
    const isNotified = isTrue(ctx, 'sendNotificationEmail', true);
    if (emailAddress !== undefined && hasNoAccount(emailAddress) && !isNotified)
      throw new GoogleError(
        400,
        'invalidSharingRequest',
        `Bad Request. User message: "You are trying to invite ${emailAddress}. Since there is no Google account associated with this email address, you must check the "Notify people" box to invite this recipient."`,
      );
    const permission = permissionOf(request);
    file.permissions.set(permission.id, permission);
    if (emailAddress !== undefined && isNotified && notices.length < NOTICES_MAX) {
      const message = textOf(ctx, 'emailMessage') ?? '';
      notices.push({ fileId: file.id, emailAddress, message, sentAt: new Date().toISOString() });
    }
    ctx.body = selectFields(permission, textOf(ctx, 'fields'), DEFAULT_FIELDS);
  });
  router.get('permissions.list', base, (ctx) => {
    const file = tree.get(idOf(ctx), supportsAllDrives(ctx));
    const list = { kind: 'drive#permissionList', permissions: effective(tree, file.id) };
    ctx.body = selectFields(list, textOf(ctx, 'fields'), `kind,nextPageToken,permissions(${DEFAULT_FIELDS})`);
  });
  router.get('permissions.get', `${base}/:permissionId`, (ctx) => {
    const permissionId = idOf(ctx, 'permissionId');
    const file = tree.get(idOf(ctx), supportsAllDrives(ctx));
    const permission = effective(tree, file.id).find((each) => each.id === permissionId);
    if (!permission) throw missing(permissionId);
    ctx.body = selectFields(permission, textOf(ctx, 'fields'), DEFAULT_FIELDS);
  });
  router.delete('permissions.delete', `${base}/:permissionId`, (ctx) => {
    const permissionId = idOf(ctx, 'permissionId');
    if (!tree.get(idOf(ctx), supportsAllDrives(ctx)).permissions.delete(permissionId)) throw missing(permissionId);
    ctx.status = 204;
  });
}
