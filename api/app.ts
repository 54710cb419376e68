import { Router } from '@koa/router';
import Koa from 'koa';
import type { Logger } from 'pino';
import type { MasterKeys } from '../keys/master-keys.ts';
import type { Pool } from '../sql/pool.ts';
import { answerProblems } from './answer-problems.ts';
import { attemptGate } from './attempt-gate.ts';
import type { State } from './context.ts';
import { addCourseRoutes } from './courses.ts';
import { addFinalizeRoutes } from './finalize/route.ts';
import { addHealthRoutes } from './health.ts';
import type { Metrics } from './metrics.ts';
import { addOperations } from './operators/operation.ts';
import { addDocuments } from './operators/openapi.ts';
import { OPERATIONS } from './operators/operations.ts';
import type { OrderNews } from './orders/events.ts';
import type { OrderDesk } from './orders/order-answer.ts';
import { addOrderRoutes } from './orders/route.ts';
import { addPaymentRoutes } from './payments/route.ts';
import type { SenderCheck } from './payments/senders.ts';
import type { SepayAuth } from './payments/sepay-signature.ts';
import { makeLimit } from './rate-limit.ts';
import { requestLog } from './request-log.ts';
import { securityHeaders } from './security-headers.ts';
import { addTokenRoutes } from './token/route.ts';

export type AppDeps = {
  pool: Pool;
  log: Logger;
  metrics: Metrics;
  desk: OrderDesk;
  masterKeys: MasterKeys;
  sepayAuth: SepayAuth;
  /** Where SePay's webhooks may come from; undefined: from anywhere. */
  isSepaySender?: SenderCheck | undefined;
  orderTtlMinutes: number;
  /** Who tells that an order moved. */
  news: OrderNews;
  ordersPerMinute: number;
  ordersPerEmailPerHour: number;
  /** How many reverse proxies of ours add to X-Forwarded-For. 0: the header is not believed. */
  trustedProxies: number;
};

const MINUTE_SECONDS = 60;
const KEY_REQUESTS_PER_MINUTE = 600;
const HOUR_SECONDS = 3_600;

/** The whole HTTP surface, from plain dependencies. */
export function makeApp(deps: AppDeps): Koa<State> {
  const { pool, log, metrics, desk, masterKeys, sepayAuth, orderTtlMinutes } = deps;
  const limits = {
    address: makeLimit(pool, { name: 'orders-address', requests: deps.ordersPerMinute, perSeconds: MINUTE_SECONDS }),
    email: makeLimit(pool, { name: 'orders-email', requests: deps.ordersPerEmailPerHour, perSeconds: HOUR_SECONDS }),
  };
  const router = new Router<State>();
  addHealthRoutes(router);
  addCourseRoutes(router, { pool });
  addOrderRoutes(router, { pool, desk, orderTtlMinutes, limits, news: deps.news, metrics });
  addPaymentRoutes(router, {
    pool,
    sepayAuth,
    ownAccountNumber: desk.bank.accountNumber,
    isSender: deps.isSepaySender,
    metrics,
  });
  const limitKey = makeLimit(pool, { name: 'key', requests: KEY_REQUESTS_PER_MINUTE, perSeconds: MINUTE_SECONDS });
  addOperations(router, { pool, limitKey }, OPERATIONS);
  addDocuments(router, OPERATIONS, desk.publicUrl);
  addFinalizeRoutes(router, { pool, masterKeys, metrics });
  addTokenRoutes(router, { pool, masterKeys });

  const app = new Koa<State>({ proxy: deps.trustedProxies > 0, maxIpsCount: deps.trustedProxies });
  // What is left for Koa are sockets that broke while the answer was written.
  app.on('error', (error: unknown) => log.warn({ err: error }, 'answer was not delivered'));
  app
    .use(requestLog(log, metrics))
    .use(securityHeaders(desk.publicUrl.startsWith('https:')))
    .use(answerProblems)
    .use(attemptGate(pool));
  app.use(router.routes()).use(router.allowedMethods());
  return app;
}
