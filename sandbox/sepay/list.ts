/** SePay's API v2, as much of it as lists transactions: other names, other ids, and three requests a second. */
import { randomUUID } from 'node:crypto';
import type { Middleware } from 'koa';
import type { Transfer } from './transfer.ts';

const LISTED_MAX = 10_000;
const PER_PAGE = 20;
const PER_PAGE_MAX = 100;
const REQUESTS_PER_SECOND = 3;

type Row = { id: string; transfer: Transfer };
export type List = { rows: Row[]; add: (transfer: Transfer) => void };

export function makeList(): List {
  const rows: Row[] = [];
  return {
    rows,
    add: (transfer) => {
      // A webhook that is sent again is no second transfer.
      if (rows.some((row) => row.transfer.id === transfer.id)) return;
      rows.push({ id: randomUUID(), transfer });
      if (rows.length > LISTED_MAX) rows.shift();
    },
  };
}

const rowOf = ({ id, transfer }: Row) => ({
  id,
  transaction_date: transfer.transactionDate,
  account_number: transfer.accountNumber,
  va: transfer.subAccount,
  transfer_type: transfer.transferType,
  amount_in: transfer.transferType === 'in' ? transfer.transferAmount : 0,
  amount_out: transfer.transferType === 'out' ? transfer.transferAmount : 0,
  accumulated: transfer.accumulated,
  transaction_content: transfer.content,
  reference_number: transfer.referenceCode,
  code: transfer.code,
  bank_brand_name: transfer.gateway,
  webhook_success: 0,
});

export function listRoute(list: List, token: string): Middleware {
  let second = 0;
  let asked = 0;
  return (ctx) => {
    if (ctx.get('Authorization') !== `Bearer ${token}`) {
      ctx.status = 401;
      ctx.body = { status: 'error', message: 'Unauthorized' };
      return;
    }
    const now = Math.floor(Date.now() / 1_000);
    asked = now === second ? asked + 1 : 1;
    second = now;
    if (asked > REQUESTS_PER_SECOND) {
      ctx.status = 429;
      ctx.set('Retry-After', '1');
      ctx.body = { status: 'error', message: 'Too Many Requests' };
      return;
    }
    const {
      transaction_date_from: from = '',
      since_id: since,
      per_page: perPage,
    } = ctx.query as Record<string, string>;
    const size = Math.min(Number(perPage ?? PER_PAGE), PER_PAGE_MAX);
    const sorted = list.rows.toSorted((a, b) => (a.transfer.transactionDate < b.transfer.transactionDate ? -1 : 1));
    const behind = since === undefined ? 0 : sorted.findIndex(({ id }) => id === since) + 1;
    const left = sorted.slice(behind).filter(({ transfer }) => transfer.transactionDate >= from);
    ctx.body = {
      status: 'success',
      data: left.slice(0, size).map(rowOf),
      meta: { pagination: { total: left.length, per_page: size, current_page: 1, has_more: left.length > size } },
    };
  };
}
