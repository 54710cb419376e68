import { randomUUID } from 'node:crypto';
import { findCourse } from '../../sql/courses.ts';
import { findOrderByIdempotencyKey, insertOrder, viewOrder, type OrderView } from '../../sql/orders.ts';
import type { Pool } from '../../sql/pool.ts';
import { SQLSTATE, sqlStateOf } from '../../sql/sqlstate.ts';
import { makeOrderCode } from './order-code.ts';
import type { OrderRequest } from './order-request.ts';

/** A code in use already is next to impossible; twice in a row means that something else is wrong. */
const INSERTS_MAX = 5;

export type Placed =
  | { result: 'created' | 'repeated'; order: OrderView }
  | { result: 'idempotency_key_reused' | 'course_unknown' | 'course_not_orderable' };

async function orderOf(pool: Pool, id: string): Promise<OrderView> {
  const order = await viewOrder(pool, id);
  if (order === undefined) throw new Error(`order ${id} is gone`);
  return order;
}

async function earlierOrder(pool: Pool, key: Buffer, request: OrderRequest): Promise<Placed | undefined> {
  const earlier = await findOrderByIdempotencyKey(pool, key);
  if (earlier === undefined) return undefined;
  if (!earlier.request_digest.equals(request.digest)) return { result: 'idempotency_key_reused' };
  return { result: 'repeated', order: await orderOf(pool, earlier.id) };
}

/** One key, one order: of any number of requests with the same key, at any time, the first writes the order. */
export async function placeOrder(pool: Pool, key: Buffer, request: OrderRequest, ttlMinutes: number): Promise<Placed> {
  for (let insert = 0; insert < INSERTS_MAX; insert += 1) {
    const earlier = await earlierOrder(pool, key, request);
    if (earlier) return earlier;
    try {
      const order = await insertOrder(pool, {
        id: randomUUID(),
        code: makeOrderCode(),
        courseId: request.courseId,
        email: request.email,
        shop: request.shop,
        idempotencyKeyDigest: key,
        requestDigest: request.digest,
        ttlMinutes,
      });
      if (order) return { result: 'created', order: await orderOf(pool, order.id) };
      const course = await findCourse(pool, request.courseId);
      return { result: course ? 'course_not_orderable' : 'course_unknown' };
    } catch (error) {
      // The key is taken by a request that came at the same time (the next look finds its order), or the code is.
      if (sqlStateOf(error) !== SQLSTATE.uniqueViolation) throw error;
    }
  }
  throw new Error(`no free order code in ${INSERTS_MAX} tries`);
}
