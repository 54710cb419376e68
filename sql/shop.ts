/** What the shop's own system is told: events, written by a trigger with the move they tell of, and the tries to deliver them. */
import { recordOwnersChange } from './changes.ts';
import type { Act } from './operating.ts';
import { inTransaction, maybeOne, type Database, type Pool } from './pool.ts';

export type ShopEventType = 'order.paid' | 'order.completed' | 'order.failed';
const DISABLED_REASON_MAX_CHARS = 200;
export const SHOP_EVENT_STATES = ['waiting', 'delivered', 'dead'] as const;
export type ShopEventState = (typeof SHOP_EVENT_STATES)[number];

/** One try of one event: `tries` counts it, and is what a late writer is refused by. */
export type ClaimedEvent = {
  id: string;
  type: ShopEventType;
  body: string;
  tries: number;
  tries_before: number;
  url: string;
};

// The events of an order go out in their order: one waits until those before it are delivered or dead.
const HEADS = `shop_events e WHERE e.state = 'waiting'
  AND NOT EXISTS (SELECT FROM shop_events b WHERE b.order_id = e.order_id AND b.seq < e.seq AND b.state = 'waiting')
  AND EXISTS (SELECT FROM shop_endpoint WHERE disabled_at IS NULL)
  AND EXISTS (SELECT FROM shop_secrets WHERE valid_until IS NULL)`;

/** Takes due events for `leaseSeconds` each: whoever dies over one leaves it to another. */
export async function claimShopEvents(db: Database, limit: number, leaseSeconds: number): Promise<ClaimedEvent[]> {
  const { rows } = await db.query<ClaimedEvent>(
    `UPDATE shop_events SET tries = tries + 1, next_try_at = now() + make_interval(secs => $2::double precision)
     WHERE id IN (SELECT e.id FROM ${HEADS} AND e.next_try_at <= now()
                  ORDER BY e.next_try_at, e.seq LIMIT $1::int FOR UPDATE OF e SKIP LOCKED)
     RETURNING id, type, body, tries, tries_before, (SELECT url FROM shop_endpoint) AS url`,
    [limit, leaseSeconds],
  );
  return rows;
}

/** In how many milliseconds the next try falls due; undefined when nothing waits, or nobody may be told. */
export async function nextShopTryMs(db: Database): Promise<number | undefined> {
  const row = await maybeOne<{ due_ms: number | null }>(
    db,
    `SELECT (extract(epoch FROM min(e.next_try_at) - now()) * 1000)::float8 AS due_ms FROM ${HEADS}`,
    [],
  );
  const dueMs = row?.due_ms ?? undefined;
  return dueMs === undefined ? undefined : Math.max(0, dueMs);
}

export type ShopTry = {
  durationMs: number;
  /** Either what was answered, or why nothing was. */
  status: number | undefined;
  error: string | undefined;
  answer: string | undefined;
};
export type AfterTry =
  { state: 'delivered' | 'dead'; delaySeconds?: never } | { state: 'waiting'; delaySeconds: number };

/** Writes the try down, and moves the event if the try is still its last. Answers whether it moved. */
export async function recordShopTry(
  db: Database,
  event: Pick<ClaimedEvent, 'id' | 'tries'>,
  one: ShopTry,
  after: AfterTry,
): Promise<boolean> {
  const row = await maybeOne<{ moved: boolean }>(
    db,
    `WITH tried AS (
       INSERT INTO shop_deliveries (event_id, n, duration_ms, status, error, answer)
       VALUES ($1::uuid, $2::int, $3::int, $4::smallint, $5::text, $6::text)
     ), moved AS (
       UPDATE shop_events SET state = $7::text, next_try_at = now() + make_interval(secs => $8::double precision),
              ended_at = CASE WHEN $7::text = 'waiting' THEN NULL ELSE now() END
       WHERE id = $1::uuid AND tries = $2::int AND state = 'waiting' RETURNING 1
     )
     SELECT EXISTS (SELECT FROM moved) AS moved`,
    [
      event.id,
      event.tries,
      one.durationMs,
      one.status ?? null,
      one.error ?? null,
      one.answer ?? null,
      after.state,
      after.delaySeconds ?? 0,
    ],
  );
  return row?.moved ?? false;
}

/** The shop wants no more. Nothing is sent until somebody enables it. */
export async function disableShopEndpoint(db: Database, url: string, reason: string): Promise<boolean> {
  const { rowCount } = await db.query(
    `UPDATE shop_endpoint SET disabled_at = now(), disabled_reason = $2::text, updated_at = now()
     WHERE url = $1::text AND disabled_at IS NULL`,
    [url, reason],
  );
  return rowCount === 1;
}

export type ShopEndpoint = { url: string; disabled_at: Date | null; disabled_reason: string | null; updated_at: Date };

export const findShopEndpoint = (db: Database): Promise<ShopEndpoint | undefined> =>
  maybeOne<ShopEndpoint>(db, 'SELECT url, disabled_at, disabled_reason, updated_at FROM shop_endpoint', []);

/** As lading_owner. Setting it enables it. */
export const setShopEndpoint = (pool: Pool, url: string, person: string): Promise<void> =>
  inTransaction(pool, async (db) => {
    const before = await findShopEndpoint(db);
    await db.query(
      `INSERT INTO shop_endpoint (url) VALUES ($1::text)
       ON CONFLICT (one) DO UPDATE SET url = excluded.url, disabled_at = NULL, disabled_reason = NULL, updated_at = now()`,
      [url],
    );
    await recordOwnersChange(db, {
      person,
      action: 'shop set',
      subject: 'shop',
      ...(before && { before: { url: before.url, disabledReason: before.disabled_reason } }),
      after: { url },
    });
  });

/** As lading_owner. False when there is none. `on` false: events wait until it is enabled again. */
export const switchShopEndpoint = (pool: Pool, on: boolean, person: string): Promise<boolean> =>
  inTransaction(pool, async (db) => {
    const { rowCount } = await db.query(
      `UPDATE shop_endpoint SET disabled_at = CASE WHEN $1::text IS NULL THEN NULL ELSE now() END,
              disabled_reason = $1::text, updated_at = now()`,
      [on ? null : `by ${person}`.slice(0, DISABLED_REASON_MAX_CHARS)],
    );
    if (rowCount !== 1) return false;
    await recordOwnersChange(db, { person, action: on ? 'shop enable' : 'shop disable', subject: 'shop' });
    return true;
  });

/** Once more, under the same id. The key is an operator's, or that of the shop whose order it is about. */
export async function resendShopEvent(
  db: Database,
  { keyId, requestId }: Act,
  id: string,
): Promise<'resent' | 'waits_already' | 'unknown'> {
  const row = await maybeOne<{ said: 'resent' | 'waits_already' | 'unknown' }>(
    db,
    'SELECT key_resends_shop_event($1::uuid, $2::uuid, $3::uuid) AS said',
    [keyId, requestId, id],
  );
  return row?.said ?? 'unknown';
}
