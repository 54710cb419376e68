import { maybeOne, type Database } from './pool.ts';

export type AuthMode = 'hmac' | 'apikey';
export type UnplacedReason =
  | 'outgoing'
  | 'wrong_account'
  | 'no_code'
  | 'unknown_code'
  | 'several_codes'
  | 'already_paid'
  | 'expired'
  | 'cancelled'
  | 'not_positive';

/** Stores a webhook as received. Undefined when this event is known already: then nothing else is to be done. */
export async function insertPaymentEvent(
  db: Database,
  event: { externalId: string; body: string; authMode: AuthMode },
): Promise<number | undefined> {
  const row = await maybeOne<{ id: number }>(
    db,
    `INSERT INTO payment_events (source, external_id, body, auth_mode)
     VALUES ('sepay_webhook', $1::text, $2::jsonb, $3::text)
     ON CONFLICT (source, external_id) DO NOTHING RETURNING id`,
    [event.externalId, event.body, event.authMode],
  );
  return row?.id;
}

/** An order as matching sees it, locked until the transaction ends so that two payments of one order take turns. */
export type PayableOrder = {
  id: string;
  code: string;
  course_id: string;
  amount_vnd: number;
  paid_vnd: number;
  expires_at: Date;
  cancelled: boolean;
  has_job: boolean;
};

const MATCH_CANDIDATES_MAX = 10;

/** The orders that carry one of `codes`, at most ten, locked in a fixed order. */
export async function lockOrdersByCode(db: Database, codes: readonly string[]): Promise<PayableOrder[]> {
  await db.query('SELECT FROM orders WHERE code = ANY ($1::text[]) ORDER BY id FOR UPDATE', [codes]);
  const { rows } = await db.query<PayableOrder>(
    `SELECT o.id, o.code, o.course_id, o.amount_vnd, o.expires_at, o.cancelled_at IS NOT NULL AS cancelled,
            coalesce((SELECT sum(p.amount_vnd) FROM payments p WHERE p.order_id = o.id), 0)::bigint AS paid_vnd,
            EXISTS (SELECT FROM jobs j WHERE j.order_id = o.id) AS has_job
     FROM orders o WHERE o.code = ANY ($1::text[]) ORDER BY o.id LIMIT ${MATCH_CANDIDATES_MAX}`,
    [codes],
  );
  return rows;
}

export type PaymentRecord = {
  eventId: number;
  direction: 'in' | 'out';
  amountVnd: number;
  accountNumber: string;
  content: string;
  transferredAt: Date;
} & (
  | { orderId: string; unplacedReason?: never; proposedOrderId?: never }
  | { orderId?: never; unplacedReason: UnplacedReason; proposedOrderId?: string }
);

export async function insertPayment(db: Database, payment: PaymentRecord): Promise<void> {
  await db.query(
    `INSERT INTO payments (event_id, direction, amount_vnd, account_number, content, transferred_at, order_id,
                           unplaced_reason, proposed_order_id)
     VALUES ($1::bigint, $2::text, $3::bigint, $4::text, $5::text, $6::timestamptz, $7::uuid, $8::text, $9::uuid)`,
    [
      payment.eventId,
      payment.direction,
      payment.amountVnd,
      payment.accountNumber,
      payment.content,
      payment.transferredAt,
      payment.orderId ?? null,
      payment.unplacedReason ?? null,
      payment.proposedOrderId ?? null,
    ],
  );
}
