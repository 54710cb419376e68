import { Router } from '@koa/router';
import Koa, { type Middleware } from 'koa';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { Pool } from '../sql/pool.ts';
import { answerProblems } from './answer-problems.ts';
import type { State } from './context.ts';
import { addCourseRoutes } from './courses.ts';
import { addFinalizeRoutes } from './finalize/route.ts';
import { addHealthRoutes } from './health.ts';
import { makeMetrics } from './metrics.ts';
import type { OrderDesk } from './orders/order-answer.ts';
import { addOrderRoutes } from './orders/route.ts';
import { addPaymentRoutes } from './payments/route.ts';
import type { SepayAuth } from './payments/sepay-signature.ts';
import { makeAddressLimit } from './rate-limit.ts';
import { requestLog } from './request-log.ts';
import { addTokenRoutes } from './token/route.ts';

export type AppDeps = {
  pool: Pool;
  log: Logger;
  registry: Registry;
  desk: OrderDesk;
  masterKey: Buffer;
  sepayAuth: SepayAuth;
  orderTtlMinutes: number;
  ordersPerMinute: number;
  /** How many reverse proxies of ours add to X-Forwarded-For. 0: the header is not believed. */
  trustedProxies: number;
};

const SECURITY_HEADERS = {
  'Cache-Control': 'no-store',
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
};
const securityHeaders: Middleware<State> = (ctx, next) => {
  ctx.set(SECURITY_HEADERS);
  return next();
};

/** The whole HTTP surface, from plain dependencies. */
export function makeApp(deps: AppDeps): Koa<State> {
  const { pool, log, registry, desk, masterKey, sepayAuth, orderTtlMinutes } = deps;
  const metrics = makeMetrics(registry);
  const limitOrders = makeAddressLimit({ requests: deps.ordersPerMinute, perSeconds: 60 });
  const router = new Router<State>();
  addHealthRoutes(router, { pool, registry });
  addCourseRoutes(router, { pool });
  addOrderRoutes(router, { pool, desk, orderTtlMinutes, limitOrders, metrics });
  addPaymentRoutes(router, { pool, sepayAuth, ownAccountNumber: desk.bank.accountNumber, metrics });
  addFinalizeRoutes(router, { pool, masterKey, metrics });
  addTokenRoutes(router, { pool, masterKey });

  const app = new Koa<State>({ proxy: deps.trustedProxies > 0, maxIpsCount: deps.trustedProxies });
  // What is left for Koa are sockets that broke while the answer was written.
  app.on('error', (error: unknown) => log.warn({ err: error }, 'answer was not delivered'));
  app.use(requestLog(log, metrics)).use(securityHeaders).use(answerProblems);
  app.use(router.routes()).use(router.allowedMethods());
  return app;
}
