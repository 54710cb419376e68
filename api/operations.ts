import { Router } from '@koa/router';
import Koa from 'koa';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { Pool } from '../sql/pool.ts';
import { answersWithin } from '../sql/ready.ts';
import { answerProblems } from './answer-problems.ts';
import type { State } from './context.ts';
import { Problem } from './problem.ts';
import { securityHeaders } from './security-headers.ts';

const READY_LIMIT_MS = 2_000;

/** What only machines of our own ask, on a listener that customers cannot reach: /healthz, /readyz and /metrics. */
export function makeOperations({ pool, log, registry }: { pool: Pool; log: Logger; registry: Registry }): Koa<State> {
  const router = new Router<State>();
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
  const app = new Koa<State>();
  app.on('error', (error: unknown) => log.warn({ err: error }, 'answer was not delivered'));
  app.use((ctx, next) => {
    ctx.state = { requestId: '', log };
    return next();
  });
  app.use(securityHeaders(false)).use(answerProblems()).use(router.routes()).use(router.allowedMethods());
  return app;
}
