import type { Router } from '@koa/router';
import type { Registry } from 'prom-client';
import { answersWithin } from '../sql/ready.ts';
import type { Pool } from '../sql/pool.ts';
import type { State } from './context.ts';
import { Problem } from './problem.ts';

const READY_LIMIT_MS = 2_000;

export function addHealthRoutes(router: Router<State>, { pool, registry }: { pool: Pool; registry: Registry }): void {
  router.get('/healthz', (ctx) => {
    ctx.body = { alive: true };
  });
  router.get('/readyz', async (ctx) => {
    if (!(await answersWithin(pool, READY_LIMIT_MS)))
      throw new Problem('not_ready', `The database did not answer within ${READY_LIMIT_MS} ms.`);
    ctx.body = { ready: true };
  });
  router.get('/metrics', async (ctx) => {
    ctx.body = await registry.metrics();
    ctx.set('Content-Type', registry.contentType);
  });
}
