import { ledgerTotals, listInbox } from '../sql/inbox.ts';
import type { Pool } from '../sql/pool.ts';
import { listUnplacedPayments } from '../sql/reports.ts';
import { json, table } from './print.ts';

const LISTED_MAX = 500;

export async function showUnplaced(pool: Pool, asJson: boolean): Promise<string> {
  const payments = await listUnplacedPayments(pool, LISTED_MAX);
  if (asJson) return json(payments);
  return table(payments, ['external_id', 'reason', 'amount_vnd', 'transferred_at', 'proposed_order_code', 'content']);
}

export async function showInbox(pool: Pool, asJson: boolean): Promise<string> {
  const items = (await listInbox(pool, undefined, LISTED_MAX)).map(({ raw, ...item }) => ({
    ...item,
    content: item.content ?? raw?.toString('utf8') ?? null,
  }));
  if (asJson) return json(items);
  return table(items, ['id', 'since', 'reason', 'amount_vnd', 'transferred_at', 'proposed_order_code', 'content']);
}

export async function showLedger(pool: Pool, asJson: boolean): Promise<string> {
  const totals = await ledgerTotals(pool);
  return asJson ? json(totals) : table(totals, ['stands', 'count', 'balance']);
}
