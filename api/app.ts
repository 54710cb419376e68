import { Router } from '@koa/router';
import Koa from 'koa';
import type { Logger } from 'pino';
import type { MasterKeys } from '../keys/master-keys.ts';
import type { Pool } from '../sql/pool.ts';
import { answerProblems } from './answer-problems.ts';
import { attemptGate } from './attempt-gate.ts';
import type { State } from './context.ts';
import { addFinalizeRoutes } from './finalize/route.ts';
import { addHealthRoutes } from './health.ts';
import type { Metrics } from './metrics.ts';
import { addOperations } from './contract/operation.ts';
import { addDocuments } from './contract/documents.ts';
import { OPERATIONS } from './contract/operations.ts';
import type { News } from './news.ts';
import type { OrderDesk } from './orders/order-answer.ts';
import type { KeysInUse } from './operators/keys-in-use.ts';
import { addPaymentRoutes } from './payments/route.ts';
import type { SenderCheck } from './payments/senders.ts';
import type { SepayAuth } from './payments/sepay-signature.ts';
import { makeAnswerPage } from './pages/answer-page.ts';
import { loadAssets } from './pages/assets.ts';
import { answerProblemPage, wantsPage } from './pages/problem-page.ts';
import { addPages } from './pages/routes.ts';
import { makePlaces } from './places.ts';
import { addProgressRoutes } from './progress/route.ts';
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
  keysInUse: KeysInUse;
  /** Who tells that an order moved. */
  news: News;
  /** Who tells that a log grew, or that its job moved. */
  logNews: News;
  requestsPerMinute: number;
  /** Where customers find help; undefined: where they bought it. */
  contactEmail?: string | undefined;
  ordersPerMinute: number;
  ordersPerEmailPerHour: number;
  /** How many reverse proxies of ours add to X-Forwarded-For. 0: the header is not believed. */
  trustedProxies: number;
};

const MINUTE_SECONDS = 60;
const KEY_REQUESTS_PER_MINUTE = 600;
const HOUR_SECONDS = 3_600;
const FOLLOWS_OF_KEY_MAX = 5;
/** Many customers may stand behind one address, and none may take everybody's places. */
export const WATCHERS_OF_ADDRESS_MAX = 50;

/** The whole HTTP surface, from plain dependencies. */
export function makeApp(deps: AppDeps): Koa<State> {
  const { pool, log, metrics, desk, masterKeys, sepayAuth, orderTtlMinutes } = deps;
  const limits = {
    caller: makeLimit(pool, { name: 'caller', requests: deps.requestsPerMinute, perSeconds: MINUTE_SECONDS }),
    address: makeLimit(pool, { name: 'orders-address', requests: deps.ordersPerMinute, perSeconds: MINUTE_SECONDS }),
    email: makeLimit(pool, { name: 'orders-email', requests: deps.ordersPerEmailPerHour, perSeconds: HOUR_SECONDS }),
    key: makeLimit(pool, { name: 'key', requests: KEY_REQUESTS_PER_MINUTE, perSeconds: MINUTE_SECONDS }),
  };
  // As written: what stands before some paths looks at the same letters.
  const router = new Router<State>({ sensitive: true });
  addHealthRoutes(router);
  const { news, logNews } = deps;
  const follows = makePlaces(FOLLOWS_OF_KEY_MAX);
  const watchers = makePlaces(WATCHERS_OF_ADDRESS_MAX);
  const { keysInUse } = deps;
  const apiDeps = { pool, metrics, desk, orderTtlMinutes, limits, keysInUse, news, logNews, follows, watchers };
  addOperations(router, apiDeps, OPERATIONS);
  addDocuments(router, OPERATIONS, desk.publicUrl);
  addPaymentRoutes(router, {
    pool,
    sepayAuth,
    ownAccountNumber: desk.bank.accountNumber,
    isSender: deps.isSepaySender,
    metrics,
  });
  addFinalizeRoutes(router, { pool, masterKeys, metrics });
  addTokenRoutes(router, { pool, masterKeys });
  addProgressRoutes(router, { pool, masterKeys });
  const assets = loadAssets();
  const answerPage = makeAnswerPage(assets);
  addPages(router, { ...apiDeps, answerPage, contactEmail: deps.contactEmail }, assets);

  const app = new Koa<State>({ proxy: deps.trustedProxies > 0, maxIpsCount: deps.trustedProxies });
  // What is left for Koa are sockets that broke while the answer was written.
  app.on('error', (error: unknown) => log.warn({ err: error }, 'answer was not delivered'));
  app
    .use(requestLog(log, metrics))
    .use(securityHeaders(desk.publicUrl.startsWith('https:')))
    .use(
      answerProblems((ctx, problem) => {
        if (!wantsPage(ctx)) return false;
        answerProblemPage(ctx, problem, answerPage);
        return true;
      }),
    )
    .use(attemptGate(pool));
  app.use(router.routes()).use(router.allowedMethods());
  return app;
}
