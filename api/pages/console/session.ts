/**
 * A session of the console: a cookie with 32 random bytes, whose digest stands in Postgres. Everything else about it,
 * the token of its forms included, follows from these two.
 */
import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { ParameterizedContext } from 'koa';
import { beginSession, endSession, findSession, noteSessionUse } from '../../../sql/console-sessions.ts';
import type { Pool } from '../../../sql/pool.ts';
import type { State } from '../../context.ts';
import type { Caller } from '../../operators/authenticate.ts';
import { Problem } from '../../problem.ts';
import type { Limit } from '../../rate-limit.ts';

const COOKIE = 'lading_console';
const TOKEN_BYTES = 32;
const SHAPE = /^[A-Za-z0-9_-]{43}$/;

export type Session = { id: string; caller: Caller & { sessionId: string }; formToken: string };
export type SessionDeps = { pool: Pool; limitKey: Limit; isTls: boolean };
type Ctx = ParameterizedContext<State>;

const digestOf = (token: string): Buffer => createHash('sha256').update(token).digest();
const formTokenOf = (token: string): string => createHmac('sha256', token).update('forms').digest('base64url');

function setCookie(ctx: Ctx, isTls: boolean, value: string | null): void {
  // Behind a proxy that ends TLS the connection itself is not secure, and the cookie is to be so all the same.
  ctx.cookies.secure = isTls;
  ctx.cookies.set(COOKIE, value, {
    path: '/console',
    httpOnly: true,
    sameSite: 'strict',
    secure: isTls,
    overwrite: true,
  });
}

/** Also where another session was open in this browser: that one ends. */
export async function openSession(ctx: Ctx, deps: SessionDeps, caller: Caller): Promise<void> {
  await closeSession(ctx, deps);
  const token = randomBytes(TOKEN_BYTES).toString('base64url');
  await beginSession(deps.pool, caller.keyId, digestOf(token));
  setCookie(ctx, deps.isTls, token);
}

/** Whose session the cookie opens, if any. Throws `rate_limited`. */
export async function sessionOf(ctx: Ctx, { pool, limitKey }: SessionDeps): Promise<Session | undefined> {
  const token = ctx.cookies.get(COOKIE) ?? '';
  const row = SHAPE.test(token) ? await findSession(pool, digestOf(token)) : undefined;
  if (!row) return undefined;
  await limitKey(row.key_id);
  if (row.note_use) await noteSessionUse(pool, row.id);
  const { key_id: keyId, prefix, name, role } = row;
  return { id: row.id, caller: { keyId, prefix, name, role, sessionId: row.id }, formToken: formTokenOf(token) };
}

export async function closeSession(ctx: Ctx, deps: Pick<SessionDeps, 'pool' | 'isTls'>): Promise<void> {
  const token = ctx.cookies.get(COOKIE) ?? '';
  const row = SHAPE.test(token) ? await findSession(deps.pool, digestOf(token)) : undefined;
  if (row) await endSession(deps.pool, row.id);
  if (token !== '') setCookie(ctx, deps.isTls, null);
}

/** Throws `form_not_ours` unless the form carries the token of this session. */
export function checkForm(session: Session, given: string | undefined): void {
  const wanted = Buffer.from(session.formToken);
  const got = Buffer.from(given ?? '');
  if (wanted.length !== got.length || !timingSafeEqual(wanted, got)) throw new Problem('form_not_ours');
}
