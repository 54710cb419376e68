import type { IncomingMessage } from 'node:http';
import type { Router } from '@koa/router';
import type { Middleware } from 'koa';

export type RequestCounts = {
  middleware: Middleware;
  /** Names the kind where the route's name does not say enough. */
  name: (request: IncomingMessage, kind: string) => void;
  /** Bytes of contents that came in, whatever became of them. */
  received: (bytes: number) => void;
  addRoutes: (router: Router) => void;
};

const add = <K>(counts: Map<K, number>, key: K): void => void counts.set(key, (counts.get(key) ?? 0) + 1);

/** Counts requests by kind (the route's name) and by status, and bytes of contents; `GET` and `DELETE /sandbox/requests`. */
export function makeRequestCounts(): RequestCounts {
  const kinds = new Map<string, number>();
  const statuses = new Map<number, number>();
  let receivedBytes = 0;
  const named = new WeakMap<IncomingMessage, string>();
  return {
    middleware: async (ctx, next) => {
      try {
        await next();
      } finally {
        const route = (ctx as { routerName?: string }).routerName;
        if (!ctx.path.startsWith('/sandbox/')) {
          add(kinds, named.get(ctx.req) ?? route ?? 'other');
          add(statuses, ctx.status);
        }
      }
    },
    name: (request, kind) => void named.set(request, kind),
    received: (bytes) => void (receivedBytes += bytes),
    addRoutes: (router) => {
      router.get('/sandbox/requests', (ctx) => {
        ctx.body = { kinds: Object.fromEntries(kinds), statuses: Object.fromEntries(statuses), receivedBytes };
      });
      router.delete('/sandbox/requests', (ctx) => {
        kinds.clear();
        statuses.clear();
        receivedBytes = 0;
        ctx.status = 204;
      });
    },
  };
}
