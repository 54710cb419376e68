import type { Pool } from '../sql/pool.ts';
import { listUnplacedPayments } from '../sql/reports.ts';
import { json, table } from './print.ts';

const LISTED_MAX = 500;

export async function showUnplaced(pool: Pool, asJson: boolean): Promise<string> {
  const payments = await listUnplacedPayments(pool, LISTED_MAX);
  if (asJson) return json(payments);
  return table(payments, ['external_id', 'reason', 'amount_vnd', 'transferred_at', 'proposed_order_code', 'content']);
}
