/** What waits for an operator: money that stands unplaced or is left over in an order, and events that were not understood. */
import type { Act } from './operating.ts';
import { maybeOne, type Database } from './pool.ts';

export type InboxItem = {
  /** `payment:N`, `event:N`, or `order:CODE` for what is left over there. */
  id: string;
  since: Date;
  reason: string;
  amount_vnd: number | null;
  account_number: string | null;
  content: string | null;
  transferred_at: Date | null;
  proposed_order_code: string | null;
  /** The payment it may be a second telling of. */
  may_repeat: number | null;
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
    `SELECT id, since, reason, amount_vnd, account_number, content, transferred_at, proposed_order_code, may_repeat,
            wrong_fields, raw
     FROM payment_inbox
     WHERE $1::timestamptz IS NULL OR (date_trunc('milliseconds', since), id) > ($1::timestamptz, $2::text)
     ORDER BY date_trunc('milliseconds', since), id LIMIT $3::int`,
    [after?.since ?? null, after?.id ?? null, limit],
  );
  return rows;
}

export type Decision =
  'decided' | 'decided_before' | 'no_money' | 'not_the_same' | 'amount_changed' | 'not_possible' | 'unknown';
/** What becomes of money as a whole. */
export type MoneyAction =
  { action: 'assigned'; orderId: string } | { action: 'refund_recorded' | 'ignored'; orderId?: never };
export type PaymentAction = MoneyAction | { action: 'same_transfer'; sameAs: number; orderId?: never };

const decisionOf = async (db: Database, text: string, args: unknown[]): Promise<Decision> =>
  (await maybeOne<{ decision: Decision }>(db, text, args))?.decision ?? 'unknown';

/** Once for each payment. The caller holds the lock of the order money is assigned to. */
export const decidePayment = (
  db: Database,
  { keyId, requestId }: Act,
  eventId: number,
  decision: PaymentAction,
  reason: string,
): Promise<Decision> =>
  decisionOf(
    db,
    `SELECT operator_decides_payment($1::uuid, $2::uuid, $3::bigint, $4::text, $5::uuid, $6::bigint, $7::text) AS decision`,
    [
      keyId,
      requestId,
      eventId,
      decision.action,
      decision.orderId ?? null,
      decision.action === 'same_transfer' ? decision.sameAs : null,
      reason,
    ],
  );

/** About all that is left over in an order, which is `amountVnd`. The caller holds the locks of the orders. */
export const decideLeftOver = (
  db: Database,
  { keyId, requestId }: Act,
  of: { orderId: string; amountVnd: number },
  decision: MoneyAction,
  reason: string,
): Promise<Decision> =>
  decisionOf(
    db,
    `SELECT operator_decides_left_over($1::uuid, $2::uuid, $3::uuid, $4::bigint, $5::text, $6::uuid, $7::text) AS decision`,
    [keyId, requestId, of.orderId, of.amountVnd, decision.action, decision.orderId ?? null, reason],
  );

/** An event that was not understood has been dealt with. */
export const dismissEvent = (db: Database, { keyId, requestId }: Act, id: number, reason: string): Promise<Decision> =>
  decisionOf(db, 'SELECT operator_dismisses_event($1::uuid, $2::uuid, $3::bigint, $4::text) AS decision', [
    keyId,
    requestId,
    id,
    reason,
  ]);

export type LedgerTotal = { stands: string; transfers: number; balance: string };

/** How much money stands where; sums as text, because all of it together may exceed 2^53. */
export async function ledgerTotals(db: Database): Promise<LedgerTotal[]> {
  const { rows } = await db.query<LedgerTotal>(
    `SELECT stands, count(event_id)::int AS transfers, sum(balance_vnd)::text AS balance FROM ledger GROUP BY stands ORDER BY stands`,
  );
  return rows;
}
