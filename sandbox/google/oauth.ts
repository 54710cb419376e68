import { randomBytes } from 'node:crypto';
import type { Router } from '@koa/router';
import type { Middleware } from 'koa';
import { getRawBody } from 'raw-body';
import type { ServiceAccount } from '../credentials.ts';
import { JWT_BEARER, judgeAssertion, TOKEN_SECONDS } from './assertion.ts';
import { GoogleError } from './errors.ts';

const FORM_MAX_BYTES = 16 * 1024;
const TOKENS_MAX = 10_000;

export type Oauth = {
  addRoutes: (router: Router) => void;
  /** Throws GoogleError 401 where the request has no valid bearer token. */
  requireToken: Middleware;
};

const nowSeconds = (): number => Math.floor(Date.now() / 1_000);

/** `POST /token` and the check of its tokens. `DELETE /sandbox/tokens` makes every token handed out so far invalid. */
export function makeOauth(accounts: () => readonly ServiceAccount[], publicUrl: string): Oauth {
  const tokens = new Map<string, number>();
  const audiences = ['https://oauth2.googleapis.com/token', `${publicUrl}/token`];
  const issue = (): string => {
    const token = `ya29.c.${randomBytes(96).toString('base64url')}`;
    tokens.set(token, nowSeconds() + TOKEN_SECONDS);
    const [oldest] = tokens.keys();
    if (tokens.size > TOKENS_MAX && oldest !== undefined) tokens.delete(oldest);
    return token;
  };

  return {
    addRoutes: (router) => {
      router.post('token', '/token', async (ctx) => {
        const form = new URLSearchParams(await getRawBody(ctx.req, { limit: FORM_MAX_BYTES, encoding: 'utf-8' }));
        const isBearer = form.get('grant_type') === JWT_BEARER;
        const verdict = isBearer
          ? judgeAssertion(form.get('assertion') ?? '', accounts(), audiences, nowSeconds())
          : { error: 'unsupported_grant_type', description: `Invalid grant_type: ${form.get('grant_type') ?? ''}` };
        ctx.set('Cache-Control', 'no-store');
        if ('error' in verdict) {
          ctx.status = verdict.error === 'unauthorized_client' ? 401 : 400;
          ctx.body = { error: verdict.error, error_description: verdict.description };
          return;
        }
        ctx.body = { access_token: issue(), expires_in: TOKEN_SECONDS, token_type: 'Bearer' };
      });
      router.delete('/sandbox/tokens', (ctx) => {
        tokens.clear();
        ctx.status = 204;
      });
    },
    requireToken: async (ctx, next) => {
      const token = /^Bearer (.+)$/i.exec(ctx.get('Authorization'))?.[1];
      if (token === undefined || (tokens.get(token) ?? 0) <= nowSeconds())
        throw new GoogleError(401, 'authError', 'Invalid Credentials', 'Authorization');
      await next();
    },
  };
}
