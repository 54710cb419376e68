import { progressSchema } from '../../job-image/contract/messages.ts';
import type { WaitFigures } from '../../sql/order-queue.ts';
import type { OrderView } from '../../sql/orders.ts';
import { OUTCOMES, type Outcome } from '../../sql/outcomes.ts';
import { estimate } from './estimate.ts';
import { mintStatusToken } from './status-token.ts';
import { bankName, vietQrPayload, type BankAccount } from './vietqr.ts';

/** What an answer about an order is made from, besides the order. */
export type OrderDesk = {
  bank: BankAccount;
  /** Base of every link, without a trailing slash. */
  publicUrl: string;
  tokenKey: Buffer;
};

const payloadOf = (desk: OrderDesk, order: OrderView): string => vietQrPayload(desk.bank, order.amount_vnd, order.code);

/**
 * The answer to `POST /v1/orders`. It is a function of the stored order alone, so a repeat gives the same bytes; only
 * `status` is live, and the course's title and the bank account are those of today.
 */
export function orderAnswer(desk: OrderDesk, order: OrderView) {
  const token = mintStatusToken(desk.tokenKey, order.id);
  const statusUrl = `${desk.publicUrl}/v1/orders/${token}`;
  const { bin, accountNumber, accountName } = desk.bank;
  return {
    code: order.code,
    status: order.status,
    amountVnd: order.amount_vnd,
    courseId: order.course_id,
    courseTitle: order.course_title,
    bank: { bin, accountNumber, accountName },
    transferContent: order.code,
    qr: { payload: payloadOf(desk, order), svgUrl: `${statusUrl}/qr.svg`, pngUrl: `${statusUrl}/qr.png` },
    expiresAt: order.expires_at.toISOString(),
    statusUrl,
    pageUrl: `${desk.publicUrl}/o/${token}`,
    token,
  };
}

/** What is still to be paid: nothing once the job began, or where no money is taken any more. */
const leftToPay = (order: OrderView): number =>
  order.status === 'pending' ? Math.max(0, order.amount_vnd - order.paid_vnd) : 0;

/** The code to scan: of what is left, or of the whole price where nothing is. */
export const payloadLeft = (desk: OrderDesk, order: OrderView): string =>
  vietQrPayload(desk.bank, leftToPay(order) || order.amount_vnd, order.code);

/** Reasons for which a dead job's money goes back without an operator's decision; of all others he decides. */
const refundIsDue = (reason: string): boolean => Object.hasOwn(OUTCOMES, reason) && OUTCOMES[reason as Outcome].refund;

/**
 * The answer to `GET /v1/orders/:token`. Who ordered is not in it: the link may be shown around. `waits` is undefined of
 * an order whose job does not wait.
 */
export function statusAnswer(desk: OrderDesk, order: OrderView, waits: WaitFigures | undefined) {
  const url = `${desk.publicUrl}/v1/orders/${mintStatusToken(desk.tokenKey, order.id)}`;
  const leftVnd = leftToPay(order);
  const { bin, accountNumber, accountName } = desk.bank;
  return {
    code: order.code,
    status: order.status,
    course: { id: order.course_id, title: order.course_title },
    amountVnd: order.amount_vnd,
    paidVnd: order.paid_vnd,
    leftVnd,
    unplaced: order.unplaced,
    bank: { bin, name: bankName(bin), accountNumber, accountName },
    transferContent: order.code,
    qr: leftVnd > 0 ? { payload: payloadLeft(desk, order), svgUrl: `${url}/qr.svg`, pngUrl: `${url}/qr.png` } : null,
    createdAt: order.created_at.toISOString(),
    expiresAt: order.expires_at.toISOString(),
    queue: waits ? { ahead: waits.ahead, ...estimate(waits) } : null,
    attempts: order.attempts_started ?? 0,
    progress: progressSchema.safeParse(order.progress).data ?? null,
    ...(order.status === 'completed' &&
      order.folder_id !== null && {
        folderUrl: `https://drive.google.com/drive/folders/${encodeURIComponent(order.folder_id)}`,
      }),
    ...(order.status === 'failed' &&
      order.dead_reason !== null && {
        failure: { reason: order.dead_reason, refundIsDue: refundIsDue(order.dead_reason) },
      }),
  };
}
