/** Which order a bank transaction pays. Never guesses: money that is not plainly for one order waits for an operator. */
import type { PayableOrder, UnplacedReason } from '../../sql/payments.ts';
import { ORDER_CODE } from '../orders/order-code.ts';
import type { BankTransaction } from './sepay-event.ts';

export type Match =
  | { order: PayableOrder; paidInFull: boolean; reason?: never }
  | { order?: never; reason: UnplacedReason; proposedOrderId?: string };

const CODES_MAX = 50;

/**
 * Every order code in the transfer's text and in SePay's hint. Banks put spaces and dashes into codes, change their
 * case and glue them to their neighbours, so everything that is not a letter or digit goes first.
 */
export function findCodes(transaction: Pick<BankTransaction, 'content' | 'code'>): string[] {
  const codes = [transaction.content, transaction.code].flatMap(
    (text) =>
      text
        .toUpperCase()
        .replaceAll(/[^A-Z0-9]/g, '')
        .match(ORDER_CODE) ?? [],
  );
  return [...new Set(codes)].slice(0, CODES_MAX);
}

/** `candidates` are the orders that carry one of the codes found. */
export function matchPayment(
  transaction: Pick<
    BankTransaction,
    'direction' | 'amountVnd' | 'accountNumber' | 'subAccount' | 'content' | 'code' | 'transferredAt'
  >,
  candidates: readonly PayableOrder[],
  ownAccountNumber: string,
): Match {
  if (transaction.direction === 'out') return { reason: 'outgoing' };
  if (transaction.accountNumber !== ownAccountNumber && transaction.subAccount !== ownAccountNumber)
    return { reason: 'wrong_account' };
  if (transaction.amountVnd <= 0) return { reason: 'not_positive' };
  if (findCodes(transaction).length === 0) return { reason: 'no_code' };
  const [order, ...others] = candidates;
  if (order === undefined) return { reason: 'unknown_code' };
  if (others.length > 0) return { reason: 'several_codes' };
  if (order.cancelled) return { reason: 'cancelled', proposedOrderId: order.id };
  if (order.has_job) return { reason: 'already_paid', proposedOrderId: order.id };
  // The bank's time counts: a webhook that comes late does not make a payment late.
  if (transaction.transferredAt > order.expires_at) return { reason: 'expired', proposedOrderId: order.id };
  return { order, paidInFull: order.paid_vnd + transaction.amountVnd >= order.amount_vnd };
}
