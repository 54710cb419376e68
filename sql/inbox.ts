/** What waits for an operator: money that stands unplaced, and events that were not understood. */
import { maybeOne, type Database } from './pool.ts';

export type InboxItem = {
  /** `payment:N` or `event:N`. */
  id: string;
  since: Date;
  reason: string;
  amount_vnd: number | null;
  account_number: string | null;
  content: string | null;
  transferred_at: Date | null;
  proposed_order_code: string | null;
  wrong_fields: string[] | null;
  raw: Buffer | null;
};

/** The oldest first, from behind `after`. */
export async function listInbox(
  db: Database,
  after: { since: Date; id: string } | undefined,
  limit: number,
): Promise<InboxItem[]> {
  const { rows } = await db.query<InboxItem>(
    `SELECT id, since, reason, amount_vnd, account_number, content, transferred_at, proposed_order_code, wrong_fields, raw
     FROM payment_inbox
     WHERE $1::timestamptz IS NULL OR (date_trunc('milliseconds', since), id) > ($1::timestamptz, $2::text)
     ORDER BY date_trunc('milliseconds', since), id LIMIT $3::int`,
    [after?.since ?? null, after?.id ?? null, limit],
  );
  return rows;
}

export type Decision = 'decided' | 'decided_before' | 'no_money' | 'unknown';
export type Said = { person: string; reason: string };

/** Once for each payment. The caller holds the lock of the order money is assigned to. */
export async function decidePayment(
  db: Database,
  eventId: number,
  decision: { action: 'assigned'; orderId: string } | { action: 'refund_recorded' | 'ignored'; orderId?: never },
  { person, reason }: Said,
): Promise<Decision> {
  const row = await maybeOne<{ decision: Decision }>(
    db,
    'SELECT decide_payment($1::bigint, $2::text, $3::uuid, $4::text, $5::text) AS decision',
    [eventId, decision.action, decision.orderId ?? null, person, reason],
  );
  return row?.decision ?? 'unknown';
}

/** An event that was not understood has been dealt with. */
export async function dismissEvent(db: Database, id: number, { person, reason }: Said): Promise<Decision> {
  const row = await maybeOne<{ decision: Decision }>(
    db,
    'SELECT dismiss_event($1::bigint, $2::text, $3::text) AS decision',
    [id, person, reason],
  );
  return row?.decision ?? 'unknown';
}

export type LedgerTotal = { stands: string; count: number; balance: string };

/** How much money stands where; sums as text, because all of it together may exceed 2^53. */
export async function ledgerTotals(db: Database): Promise<LedgerTotal[]> {
  const { rows } = await db.query<LedgerTotal>(
    `SELECT stands, count(*) AS count, sum(balance_vnd)::text AS balance FROM ledger GROUP BY stands ORDER BY stands`,
  );
  return rows;
}
