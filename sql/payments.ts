import { atOnce, maybeOne, type Database } from './pool.ts';

/** How an event proved itself: by SePay's signature or key, or because we fetched it from SePay. */
export type AuthMode = 'hmac' | 'apikey' | 'fetched';
export type EventSource = 'sepay_webhook' | 'sepay_api';
export type UnplacedReason =
  | 'outgoing'
  | 'wrong_account'
  | 'no_code'
  | 'unknown_code'
  | 'several_codes'
  | 'already_paid'
  | 'expired'
  | 'cancelled'
  | 'not_positive'
  | 'possible_repeat';

/** What tells one transfer from another, whichever way we hear of it. */
export type Transfer = {
  direction: 'in' | 'out';
  amountVnd: number;
  accountNumber: string;
  /** The bank's number of the transfer; empty where it has none. Some banks use a number again. */
  reference: string;
  transferredAt: Date;
};

// Webhooks come side by side; a transfer of the list waits for those on their way, and they for it.
const INSERT_BESIDE_OTHERS = `
  INSERT INTO payment_events (source, external_id, body, auth_mode)
  SELECT $1::text, $2::text, $3::jsonb, $4::text FROM pg_advisory_xact_lock_shared(hashtext('lading transfers'))
  ON CONFLICT (source, external_id) DO NOTHING RETURNING id`;
const INSERT_ALONE = INSERT_BESIDE_OTHERS.replace('_lock_shared', '_lock');

/**
 * Stores an event as received. Undefined when this event is known already: then nothing else is to be done. The
 * tellings of one transfer, by webhook and in the list, take turns from here to the transaction's end.
 */
export async function insertPaymentEvent(
  db: Database,
  event: { source: EventSource; externalId: string; body: string; authMode: AuthMode },
): Promise<number | undefined> {
  const row = await maybeOne<{ id: number }>(
    db,
    event.source === 'sepay_webhook' ? INSERT_BESIDE_OTHERS : INSERT_ALONE,
    [event.source, event.externalId, event.body, event.authMode],
  );
  return row?.id;
}

/** The payment that was made of an event, for comparing with what now comes under the same id. */
export const findPaymentOf = (
  db: Database,
  source: EventSource,
  externalId: string,
): Promise<{ direction: 'in' | 'out'; amount_vnd: number; account_number: string } | undefined> =>
  maybeOne(
    db,
    `SELECT p.direction, p.amount_vnd, p.account_number
     FROM payment_events e LEFT JOIN payment_twins t ON t.event_id = e.id
     JOIN payments p ON p.event_id = coalesce(t.payment_event_id, e.id)
     WHERE e.source = $1::text AND e.external_id = $2::text`,
    [source, externalId],
  );

/** A payment that the other source may have told of. */
export type TwinCandidate = { event_id: number; reference: string; content: string; transferred_at: Date };

const TWINS_WITHIN_SECONDS = 600;
/** When there are as many, there may be more: what is not decided by then is in doubt. */
export const TWIN_CANDIDATES_MAX = 200;

/**
 * Payments of another source about the same money at about the same time, which have no second telling yet. First those of
 * the same moment and number, one of which it is, however many others there are; then the nearest.
 */
export async function twinCandidates(db: Database, source: EventSource, transfer: Transfer): Promise<TwinCandidate[]> {
  const { rows } = await db.query<TwinCandidate>(
    `SELECT p.event_id, p.reference, p.content, p.transferred_at
     FROM payments p
     WHERE p.source = $1::text AND p.transferred_at BETWEEN $2::timestamptz - interval '${TWINS_WITHIN_SECONDS} s'
                                AND $2::timestamptz + interval '${TWINS_WITHIN_SECONDS} s'
       AND p.account_number = $3::text AND p.amount_vnd = $4::bigint AND p.direction = $5::text
       AND NOT EXISTS (SELECT FROM payment_twins t WHERE t.payment_event_id = p.event_id)
       -- A person said that it was the second telling itself.
       AND NOT EXISTS (SELECT FROM payment_twins t WHERE t.event_id = p.event_id)
     ORDER BY p.transferred_at <> $2::timestamptz, p.reference <> $6::text,
       abs(extract(epoch FROM p.transferred_at - $2::timestamptz)), p.event_id LIMIT ${TWIN_CANDIDATES_MAX}`,
    [
      source === 'sepay_api' ? 'sepay_webhook' : 'sepay_api',
      transfer.transferredAt,
      transfer.accountNumber,
      transfer.amountVnd,
      transfer.direction,
      transfer.reference,
    ],
  );
  return rows;
}

/** The event is the second telling of this payment. */
export async function insertTwin(db: Database, eventId: number, paymentEventId: number): Promise<void> {
  await db.query('INSERT INTO payment_twins (event_id, payment_event_id) VALUES ($1::bigint, $2::bigint)', [
    eventId,
    paymentEventId,
  ]);
}

export type NotUnderstood = 'not_json' | 'not_a_transaction' | 'id_reused';

/**
 * Keeps an authentic event as it came, at most 16 KiB, for an operator. False when it is there already: the same bytes, or
 * what says the same (`sameAs`).
 */
export async function keepNotUnderstood(
  db: Database,
  event: { source: EventSource; problem: NotUnderstood; wrongFields: readonly string[]; raw: Buffer; sameAs?: string },
): Promise<boolean> {
  const kept = await maybeOne(
    db,
    `INSERT INTO events_not_understood (source, problem, wrong_fields, raw, digest)
     VALUES ($1::text, $2::text, $3::text[], $4::bytea, sha256($5::bytea)) ON CONFLICT (source, digest) DO NOTHING RETURNING id`,
    [event.source, event.problem, event.wrongFields, event.raw, Buffer.from(event.sameAs ?? event.raw)],
  );
  return kept !== undefined;
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
  const lock = () => db.query('SELECT FROM orders WHERE code = ANY ($1::text[]) ORDER BY id FOR UPDATE', [codes]);
  // Apart from the locking, because it must see what whoever held the lock has written.
  const read = () =>
    db.query<PayableOrder>(
      `SELECT o.id, o.code, o.course_id, o.amount_vnd, o.expires_at, o.cancelled_at IS NOT NULL AS cancelled,
            least(order_paid(o.id), ${Number.MAX_SAFE_INTEGER}) AS paid_vnd,
            EXISTS (SELECT FROM jobs j WHERE j.order_id = o.id) AS has_job
     FROM orders o WHERE o.code = ANY ($1::text[]) ORDER BY o.id LIMIT ${MATCH_CANDIDATES_MAX}`,
      [codes],
    );
  const [, { rows }] = await atOnce<[unknown, { rows: PayableOrder[] }]>(db, lock, read);
  return rows;
}

export type PaymentRecord = Transfer & { eventId: number; source: EventSource; content: string } & (
    | { orderId: string; unplacedReason?: never; proposedOrderId?: never; mayRepeat?: never }
    | { orderId?: never; unplacedReason: UnplacedReason; proposedOrderId?: string; mayRepeat?: number }
  );

export async function insertPayment(db: Database, payment: PaymentRecord): Promise<void> {
  await db.query(
    `INSERT INTO payments (event_id, direction, amount_vnd, account_number, content, transferred_at, order_id,
                           unplaced_reason, proposed_order_id, may_repeat, reference, source)
     VALUES ($1::bigint, $2::text, $3::bigint, $4::text, $5::text, $6::timestamptz, $7::uuid, $8::text, $9::uuid,
             $10::bigint, $11::text, $12::text)`,
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
      payment.mayRepeat ?? null,
      payment.reference,
      payment.source,
    ],
  );
}
