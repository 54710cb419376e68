import type { IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Router } from '@koa/router';
import type { Context, Middleware } from 'koa';
import { z } from 'zod';
import { faultSchema, type Fault, type Faults } from './faults.ts';
import { readJson } from './read-json.ts';

const CONTROL = '/sandbox/';
const applied = new WeakMap<IncomingMessage, Fault>();

/** The fault that hit this request, for the code that moves its body. */
export const faultOf = (request: IncomingMessage): Fault | undefined => applied.get(request);

/** Delays and refuses what the faults say; `refuse` writes the body in the shape of the service that is stood in for. */
export const faultsMiddleware =
  (faults: Faults, refuse: (ctx: Context, status: number, fault: Fault) => void): Middleware =>
  async (ctx, next) => {
    const fault = ctx.path.startsWith(CONTROL) ? undefined : faults.take(ctx.method, ctx.url);
    if (fault === undefined) {
      await next();
      return;
    }
    applied.set(ctx.req, fault);
    if (fault.latencyMs !== undefined) await sleep(fault.latencyMs);
    if (fault.redirect !== undefined) {
      ctx.redirect(fault.redirect === 'self' ? ctx.url : fault.redirect);
      return;
    }
    if (fault.status === undefined) {
      await next();
      return;
    }
    if (fault.retryAfter !== undefined) ctx.set('Retry-After', String(fault.retryAfter));
    refuse(ctx, fault.status, fault);
  };

/** `GET`, `POST` (one fault or a list) and `DELETE /sandbox/faults`. */
export function addFaultRoutes(router: Router, faults: Faults): void {
  const schema = z.union([faultSchema.transform((fault) => [fault]), z.array(faultSchema)]);
  router.get('/sandbox/faults', (ctx) => {
    ctx.body = faults.list();
  });
  router.post('/sandbox/faults', async (ctx) => {
    const parsed = schema.safeParse(await readJson(ctx.req));
    ctx.status = parsed.success ? 201 : 400;
    ctx.body = parsed.success
      ? { ids: parsed.data.map((fault) => faults.add(fault)) }
      : { error: z.prettifyError(parsed.error) };
  });
  router.delete('/sandbox/faults', (ctx) => {
    faults.clear();
    ctx.status = 204;
  });
}
