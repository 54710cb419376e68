import type { Router } from '@koa/router';
import type { State } from './context.ts';

/** All that strangers learn of our health. */
export function addHealthRoutes(router: Router<State>): void {
  router.get('/healthz', (ctx) => {
    ctx.body = { alive: true };
  });
}
