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
    /** The shop whose key placed it. */
    shop?: string | null;
    idempotencyKeyDigest: Buffer;
    requestDigest: Buffer;
    ttlMinutes: number;
  },
): Promise<OrderRow | undefined> =>
  maybeOne<OrderRow>(
    db,
    `INSERT INTO orders (id, code, course_id, email, amount_vnd, idempotency_key_digest, request_digest, expires_at, shop)
     SELECT $1::uuid, $2::text, c.id, $4::text, c.price_vnd, $5::bytea, $6::bytea,
            now() + make_interval(mins => $7::int), $8::text
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
      order.shop ?? null,
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
  /** Money that was meant for it and was not applied to it, as JSON: UnplacedMoney. */
  unplaced: UnplacedMoney[];
};

/** Came too late, twice, or after it was cancelled. `decision` is what an operator made of it
 * (`refund_recorded`, `ignored` …), null until then. */
export type UnplacedMoney = {
  reason: string;
  amountVnd: number;
  transferredAt: string;
  decision: string | null;
};
/** Who pays an order more often than this is told of the first ones. */
const UNPLACED_SHOWN_MAX = 10;

/** All a status page shows of one order. */
export const viewOrder = (db: Database, orderId: string): Promise<OrderView | undefined> =>
  maybeOne<OrderView>(
    db,
    `SELECT o.id, o.code, o.course_id, c.title AS course_title, o.email, o.amount_vnd, s.status, o.created_at,
            coalesce((SELECT jsonb_agg(jsonb_build_object('reason', u.unplaced_reason, 'amountVnd', u.amount_vnd,
                'transferredAt', to_char(u.transferred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
                'decision', u.action) ORDER BY u.event_id)
              FROM (SELECT p.event_id, p.unplaced_reason, p.amount_vnd, p.transferred_at, d.action
                    FROM payments p LEFT JOIN inbox_decisions d ON d.payment_event_id = p.event_id
                    WHERE p.proposed_order_id = o.id AND p.unplaced_reason IS NOT NULL
                    ORDER BY p.event_id LIMIT ${UNPLACED_SHOWN_MAX}) u), '[]') AS unplaced,
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

export type OrderLine = {
  id: string;
  code: string;
  status: OrderStatus;
  course_id: string;
  email: string;
  shop: string | null;
  amount_vnd: number;
  paid_vnd: number;
  job_id: string | null;
  dead_reason: string | null;
  created_at: Date;
  expires_at: Date;
  /** `created_at`, in microseconds since 1970. */
  micros: number;
};

export type OrderFilter = {
  status?: OrderStatus | undefined;
  code?: string | undefined;
  courseId?: string | undefined;
  email?: string | undefined;
  shop?: string | undefined;
};

/** The newest first, from behind `after`. */
export async function pageOfOrders(
  db: Database,
  filter: OrderFilter,
  after: { micros: number; id: string } | undefined,
  limit: number,
): Promise<OrderLine[]> {
  const { rows } = await db.query<OrderLine>(
    `SELECT o.id, o.code, s.status, o.course_id, o.email, o.shop, o.amount_vnd, s.job_id, j.dead_reason, o.expires_at,
            o.created_at, micros(o.created_at) AS micros,
            coalesce((SELECT sum(p.amount_vnd) FROM payments p WHERE p.order_id = o.id), 0)::bigint AS paid_vnd
     FROM orders o JOIN order_status s ON s.order_id = o.id LEFT JOIN jobs j ON j.order_id = o.id
     WHERE ($1::text IS NULL OR s.status = $1::text) AND ($2::text IS NULL OR o.code = $2::text)
       AND ($3::text IS NULL OR o.course_id = $3::text) AND ($4::text IS NULL OR lower(o.email) = lower($4::text))
       AND ($5::text IS NULL OR o.shop = $5::text)
       AND ($6::bigint IS NULL OR (o.created_at, o.id) < (moment($6::bigint), $7::uuid))
     ORDER BY o.created_at DESC, o.id DESC LIMIT $8::int`,
    [
      filter.status ?? null,
      filter.code ?? null,
      filter.courseId ?? null,
      filter.email ?? null,
      filter.shop ?? null,
      after?.micros ?? null,
      after?.id ?? null,
      limit,
    ],
  );
  return rows;
}
