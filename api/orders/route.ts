import type { Router } from '@koa/router';
import { cancelOrder, viewOrder, type OrderView } from '../../sql/orders.ts';
import type { Pool } from '../../sql/pool.ts';
import type { Context, State } from '../context.ts';
import type { Metrics } from '../metrics.ts';
import { Problem } from '../problem.ts';
import { callerOf, type Limit } from '../rate-limit.ts';
import { parseJson, readBody, requireJson } from '../read-body.ts';
import { orderAnswer, payloadOf, statusAnswer, type OrderDesk } from './order-answer.ts';
import { idempotencyKeyDigest, parseOrderRequest } from './order-request.ts';
import { orderEvents, type OrderNews } from './events.ts';
import { placeOrder } from './place-order.ts';
import { openStatusToken } from './status-token.ts';
import { qrPng, qrSvg } from './vietqr.ts';

const ORDER_BODY_MAX_BYTES = 16 * 1024;

export type OrderDeps = {
  pool: Pool;
  desk: OrderDesk;
  orderTtlMinutes: number;
  /** How many orders may come from one address, and for one e-mail address. */
  limits: { address: Limit; email: Limit };
  /** Who tells that an order moved. */
  news: OrderNews;
  metrics: Metrics;
};

async function orderBehind(ctx: Context, { pool, desk }: OrderDeps): Promise<OrderView> {
  const id = openStatusToken(desk.tokenKey, ctx.params['token'] ?? '');
  const order = id === undefined ? undefined : await viewOrder(pool, id);
  if (order === undefined) throw new Problem('order_unknown');
  return order;
}

export function addOrderRoutes(router: Router<State>, deps: OrderDeps): void {
  router.post('/v1/orders', async (ctx) => {
    await deps.limits.address(callerOf(ctx.ip));
    requireJson(ctx.req);
    const key = idempotencyKeyDigest(ctx.get('Idempotency-Key') || undefined);
    const request = parseOrderRequest(parseJson(await readBody(ctx.req, ORDER_BODY_MAX_BYTES)));
    await deps.limits.email(request.emailDigest);
    const placed = await placeOrder(deps.pool, key, request, deps.orderTtlMinutes);
    if (!('order' in placed)) throw new Problem(placed.result);
    if (placed.result === 'created') {
      deps.metrics.ordersCreated.inc();
      ctx.state.log.info({ order: placed.order.code, course: placed.order.course_id }, 'order created');
    }
    ctx.status = placed.result === 'created' ? 201 : 200;
    ctx.body = orderAnswer(deps.desk, placed.order);
  });

  router.get('/v1/orders/:token', async (ctx) => {
    ctx.body = statusAnswer(await orderBehind(ctx, deps));
  });

  router.post('/v1/orders/:token/cancel', async (ctx) => {
    const order = await orderBehind(ctx, deps);
    const answer = await cancelOrder(deps.pool, order.id);
    if (answer !== 'cancelled') throw new Problem('order_not_cancellable');
    ctx.state.log.info({ order: order.code }, 'order cancelled');
    ctx.body = statusAnswer(await orderBehind(ctx, deps));
  });

  router.get('/v1/orders/:token/events', async (ctx) => {
    const order = await orderBehind(ctx, deps);
    const stream = await orderEvents(deps.news, order.id, async () => {
      const now = await viewOrder(deps.pool, order.id);
      return now && { expiresAt: now.expires_at, status: now.status, answer: statusAnswer(now) };
    });
    ctx.type = 'text/event-stream';
    // A proxy that collects answers would hold the news back.
    ctx.set('X-Accel-Buffering', 'no');
    ctx.body = stream;
  });

  router.get('/v1/orders/:token/qr.svg', async (ctx) => {
    ctx.body = await qrSvg(payloadOf(deps.desk, await orderBehind(ctx, deps)));
    ctx.type = 'image/svg+xml';
  });

  router.get('/v1/orders/:token/qr.png', async (ctx) => {
    ctx.body = await qrPng(payloadOf(deps.desk, await orderBehind(ctx, deps)));
    ctx.type = 'image/png';
  });
}
