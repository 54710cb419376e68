import {
  decideLeftOver,
  decidePayment,
  dismissEvent,
  type Decision,
  type MoneyAction,
  type PaymentAction,
} from '../../sql/inbox.ts';
import type { Act } from '../../sql/operating.ts';
import { lockOrdersByCode, type PayableOrder } from '../../sql/payments.ts';
import { inTransaction, type Database, type Pool } from '../../sql/pool.ts';
import { ORDER_CODE } from '../orders/order-code.ts';
import { startJob } from './start-job.ts';

/** What is in the inbox: a payment, an event that was not understood, or what is left over in an order. */
export type Item = { kind: 'payment' | 'event'; id: number } | { kind: 'order'; code: string };
export type Action =
  | { action: 'assign'; orderCode: string }
  | { action: 'refund-recorded' | 'ignore' }
  /** Tells once more of the payment `sameAs`. */
  | { action: 'same-transfer'; sameAs: number };
/** `amountVnd`: how much the operator saw waiting; for what is left over in an order. */
export type Wish = Action & { amountVnd?: number | undefined; reason: string };

export type Decided =
  { result: Exclude<Decision, 'decided'> | 'order_unknown' } | { result: 'decided'; job?: string | undefined };

/** Of an item's name; undefined for what names none. */
export function itemOf(name: string): Item | undefined {
  const [, kind, digits] = /^(payment|event):(\d{1,15})$/.exec(name) ?? [];
  if (kind === 'payment' || kind === 'event') return { kind, id: Number(digits) };
  const [, code = ''] = /^order:([A-Z0-9]{12})$/.exec(name) ?? [];
  return code.match(ORDER_CODE)?.[0] === code && code !== '' ? { kind: 'order', code } : undefined;
}

/** The job that begins when the order is paid in full now, and had none. */
async function jobIfPaid(db: Database, code: string): Promise<string | undefined> {
  const [paid] = await lockOrdersByCode(db, [code]);
  return paid === undefined || paid.has_job || paid.paid_vnd < paid.amount_vnd ? undefined : startJob(db, paid);
}

const plain = (action: 'refund-recorded' | 'ignore') =>
  ({ action: action === 'ignore' ? 'ignored' : 'refund_recorded' }) as const;

type Orders = (code: string) => PayableOrder | undefined;

function paymentAction(wish: Wish, orders: Orders): PaymentAction | undefined {
  if (wish.action === 'same-transfer') return { action: 'same_transfer', sameAs: wish.sameAs };
  return moneyAction(wish, orders);
}

function moneyAction(wish: Wish, orders: Orders): MoneyAction | undefined {
  if (wish.action === 'same-transfer') return undefined;
  if (wish.action !== 'assign') return plain(wish.action);
  const to = orders(wish.orderCode);
  return to && { action: 'assigned', orderId: to.id };
}

async function decideOne(db: Database, act: Act, item: Item, wish: Wish): Promise<Decision | 'order_unknown'> {
  if (item.kind === 'event')
    return wish.action === 'ignore' ? dismissEvent(db, act, item.id, wish.reason) : 'not_possible';
  // The orders' locks first and together, as when money comes in.
  const codes = [...(item.kind === 'order' ? [item.code] : []), ...(wish.action === 'assign' ? [wish.orderCode] : [])];
  const locked = codes.length === 0 ? [] : await lockOrdersByCode(db, codes);
  const orders: Orders = (code) => locked.find((one) => one.code === code);
  if (wish.action === 'assign' && !orders(wish.orderCode)) return 'order_unknown';
  if (item.kind !== 'order') {
    const action = paymentAction(wish, orders);
    return action ? decidePayment(db, act, item.id, action, wish.reason) : 'not_possible';
  }
  const from = orders(item.code);
  if (!from) return 'unknown';
  const action = moneyAction(wish, orders);
  const of = { orderId: from.id, amountVnd: wish.amountVnd ?? 0 };
  return action ? decideLeftOver(db, act, of, action, wish.reason) : 'not_possible';
}

/**
 * What an operator decides about one thing in the inbox, once. Money may be assigned to any order, also an expired or
 * cancelled one: he knows what the customer wants. When it is then paid in full its job begins.
 */
export const decide = (pool: Pool, act: Act, item: Item, wish: Wish): Promise<Decided> =>
  inTransaction(pool, async (db) => {
    const result = await decideOne(db, act, item, wish);
    if (result !== 'decided') return { result };
    return { result, ...(wish.action === 'assign' && { job: await jobIfPaid(db, wish.orderCode) }) };
  });
