import { inTransaction, maybeOne, type Database, type Pool } from './pool.ts';

export const ORDER_STATUSES = [
  'pending',
  'paid',
  'processing',
  'enrolled',
  'downloading',
  'delivering',
  'completed',
  'failed',
  'expired',
  'cancelled',
] as const;
export type OrderStatus = (typeof ORDER_STATUSES)[number];

export type OrderRow = {
  id: string;
  code: string;
  course_id: string;
  email: string;
  amount_vnd: number;
  request_digest: Buffer;
  created_at: Date;
  expires_at: Date;
};

/**
 * Writes an order at the course's price of this moment. Undefined when the course is unknown, unlisted or carries no
 * rights record. A code or idempotency key already in use raises unique_violation.
 */
export const insertOrder = (
  db: Database,
  order: {
    id: string;
    code: string;
    courseId: string;
    email: string;
    idempotencyKeyDigest: Buffer;
    requestDigest: Buffer;
    ttlMinutes: number;
  },
): Promise<OrderRow | undefined> =>
  maybeOne<OrderRow>(
    db,
    `INSERT INTO orders (id, code, course_id, email, amount_vnd, idempotency_key_digest, request_digest, expires_at)
     SELECT $1::uuid, $2::text, c.id, $4::text, c.price_vnd, $5::bytea, $6::bytea,
            now() + make_interval(mins => $7::int)
     FROM courses c JOIN course_rights r ON r.course_id = c.id
     WHERE c.id = $3::text AND c.listed
     RETURNING id, code, course_id, email, amount_vnd, request_digest, created_at, expires_at`,
    [
      order.id,
      order.code,
      order.courseId,
      order.email,
      order.idempotencyKeyDigest,
      order.requestDigest,
      order.ttlMinutes,
    ],
  );

export const findOrderByIdempotencyKey = (db: Database, digest: Buffer): Promise<OrderRow | undefined> =>
  maybeOne<OrderRow>(
    db,
    `SELECT id, code, course_id, email, amount_vnd, request_digest, created_at, expires_at
     FROM orders WHERE idempotency_key_digest = $1::bytea`,
    [digest],
  );

export type OrderView = {
  id: string;
  code: string;
  course_id: string;
  course_title: string;
  email: string;
  amount_vnd: number;
  paid_vnd: number;
  status: OrderStatus;
  created_at: Date;
  expires_at: Date;
  job_id: string | null;
  dead_reason: string | null;
  folder_id: string | null;
  attempts_started: number | null;
  progress: unknown;
};

/** All a status page shows of one order. */
export const viewOrder = (db: Database, orderId: string): Promise<OrderView | undefined> =>
  maybeOne<OrderView>(
    db,
    `SELECT o.id, o.code, o.course_id, c.title AS course_title, o.email, o.amount_vnd, s.status, o.created_at,
            o.expires_at, j.id AS job_id, j.dead_reason, j.folder_id, j.attempts_started,
            coalesce((SELECT sum(p.amount_vnd) FROM payments p WHERE p.order_id = o.id), 0)::bigint AS paid_vnd,
            (SELECT a.progress FROM attempts a WHERE a.job_id = j.id ORDER BY a.n DESC LIMIT 1) AS progress
     FROM orders o JOIN courses c ON c.id = o.course_id JOIN order_status s ON s.order_id = o.id
     LEFT JOIN jobs j ON j.order_id = o.id
     WHERE o.id = $1::uuid`,
    [orderId],
  );

/**
 * Cancels an order nothing was paid for. The lock comes first: money that comes in at the same moment is either seen
 * here or finds the order cancelled. A repeat answers the same.
 */
export const cancelOrder = (pool: Pool, orderId: string): Promise<'cancelled' | 'too_late'> =>
  inTransaction(pool, async (db) => {
    await db.query('SELECT FROM orders WHERE id = $1::uuid FOR UPDATE', [orderId]);
    const cancelled = await maybeOne(
      db,
      `UPDATE orders SET cancelled_at = coalesce(cancelled_at, now())
       WHERE id = $1::uuid AND NOT EXISTS (SELECT FROM payments p WHERE p.order_id = orders.id)
         AND NOT EXISTS (SELECT FROM jobs j WHERE j.order_id = orders.id)
       RETURNING id`,
      [orderId],
    );
    return cancelled ? 'cancelled' : 'too_late';
  });
