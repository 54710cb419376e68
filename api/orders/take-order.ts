import type { Logger } from 'pino';
import type { OrderView } from '../../sql/orders.ts';
import type { ApiDeps } from '../contract/operation.ts';
import { Problem } from '../problem.ts';
import { placeOrder } from './place-order.ts';
import type { OrderRequest } from './order-request.ts';

/** An order as it comes in, over the API or from the shop page: limited, placed once, counted. Throws Problem. */
export async function takeOrder(
  deps: Pick<ApiDeps, 'pool' | 'limits' | 'metrics' | 'orderTtlMinutes'>,
  log: Logger,
  key: Buffer,
  request: OrderRequest,
): Promise<{ order: OrderView; isNew: boolean }> {
  await deps.limits.email(request.emailDigest);
  const placed = await placeOrder(deps.pool, key, request, deps.orderTtlMinutes);
  if (!('order' in placed)) throw new Problem(placed.result);
  const isNew = placed.result === 'created';
  if (isNew) {
    deps.metrics.ordersCreated.inc();
    log.info({ order: placed.order.code, course: placed.order.course_id }, 'order created');
  }
  return { order: placed.order, isNew };
}
