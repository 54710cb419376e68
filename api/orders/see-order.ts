import { waitFigures } from '../../sql/order-queue.ts';
import { viewOrder, type OrderStatus, type OrderView } from '../../sql/orders.ts';
import type { Pool } from '../../sql/pool.ts';
import { Problem } from '../problem.ts';
import { statusAnswer, type OrderDesk } from './order-answer.ts';
import { openStatusToken } from './status-token.ts';

/** While the job has no slot, others decide how long it waits. */
const WAITING: ReadonlySet<OrderStatus> = new Set(['paid', 'processing', 'enrolled']);

export type SeenOrder = { order: OrderView; waits: boolean; answer: ReturnType<typeof statusAnswer> };
type Deps = { pool: Pool; desk: OrderDesk };

/** One order as its customer sees it, and what he is answered. Undefined: there is none. */
export async function seeOrder({ pool, desk }: Deps, orderId: string): Promise<SeenOrder | undefined> {
  const order = await viewOrder(pool, orderId);
  if (order === undefined) return undefined;
  const waits = order.job_id !== null && WAITING.has(order.status);
  const figures = waits && order.job_id !== null ? await waitFigures(pool, order.job_id) : undefined;
  return { order, waits, answer: statusAnswer(desk, order, figures) };
}

/** The order that this token opens. Throws `order_unknown`. */
export async function seeOrderBehind(deps: Deps, token: string): Promise<SeenOrder> {
  const id = openStatusToken(deps.desk.tokenKey, token);
  const seen = id === undefined ? undefined : await seeOrder(deps, id);
  if (seen === undefined) throw new Problem('order_unknown');
  return seen;
}
