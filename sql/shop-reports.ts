import { maybeOne, type Database } from './pool.ts';
import type { ShopEventState, ShopEventType } from './shop.ts';

export type ShopEventReport = {
  id: string;
  order_code: string;
  type: ShopEventType;
  state: ShopEventState;
  tries: number;
  created_at: Date;
  next_try_at: Date;
  ended_at: Date | null;
  /** `created_at`, in microseconds since 1970. */
  micros: number;
};
export type ShopDeliveryReport = {
  n: number;
  at: Date;
  duration_ms: number;
  status: number | null;
  error: string | null;
  answer: string | null;
};

const COLUMNS = `e.id, o.code AS order_code, e.type, e.state, e.tries, e.created_at, e.next_try_at, e.ended_at,
  micros(e.created_at) AS micros
  FROM shop_events e JOIN orders o ON o.id = e.order_id`;

/** The newest first, behind `after`; `shop` is the one whose orders they are about, where only those are wanted. */
export async function pageOfShopEvents(
  db: Database,
  only: { state?: ShopEventState | undefined; orderCode?: string | undefined; shop: string | undefined },
  after: { micros: number; id: string } | undefined,
  limit: number,
): Promise<ShopEventReport[]> {
  const { rows } = await db.query<ShopEventReport>(
    `SELECT ${COLUMNS}
     WHERE ($1::text IS NULL OR e.state = $1::text) AND ($2::text IS NULL OR o.code = $2::text)
       AND ($6::text IS NULL OR o.shop = $6::text)
       AND ($3::bigint IS NULL OR (e.created_at, e.id) < (moment($3::bigint), $4::uuid))
     ORDER BY e.created_at DESC, e.id DESC LIMIT $5::int`,
    [only.state ?? null, only.orderCode ?? null, after?.micros ?? null, after?.id ?? null, limit, only.shop ?? null],
  );
  return rows;
}

export const findShopEvent = (
  db: Database,
  id: string,
  shop: string | undefined,
): Promise<(ShopEventReport & { body: string }) | undefined> =>
  maybeOne(db, `SELECT e.body, ${COLUMNS} WHERE e.id = $1::uuid AND ($2::text IS NULL OR o.shop = $2::text)`, [
    id,
    shop ?? null,
  ]);

const DELIVERIES_MAX = 100;

/** The last hundred tries, the newest first. */
export async function deliveriesOfEvent(db: Database, id: string): Promise<ShopDeliveryReport[]> {
  const { rows } = await db.query<ShopDeliveryReport>(
    `SELECT n, at, duration_ms, status, error, answer FROM shop_deliveries
     WHERE event_id = $1::uuid ORDER BY id DESC LIMIT ${DELIVERIES_MAX}`,
    [id],
  );
  return rows;
}
