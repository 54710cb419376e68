import { progressSchema } from '../../job-image/contract/messages.ts';
import type { OrderView } from '../../sql/orders.ts';
import { mintStatusToken } from './status-token.ts';
import { vietQrPayload, type BankAccount } from './vietqr.ts';

/** What an answer about an order is made from, besides the order. */
export type OrderDesk = {
  bank: BankAccount;
  /** Base of every link, without a trailing slash. */
  publicUrl: string;
  tokenKey: Buffer;
};

export const payloadOf = (desk: OrderDesk, order: OrderView): string =>
  vietQrPayload(desk.bank, order.amount_vnd, order.code);

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
    token,
  };
}

/** The answer to `GET /v1/orders/:token`. Who ordered is not in it: the link may be shown around. */
export const statusAnswer = (order: OrderView) => ({
  code: order.code,
  status: order.status,
  course: { id: order.course_id, title: order.course_title },
  amountVnd: order.amount_vnd,
  paidVnd: order.paid_vnd,
  createdAt: order.created_at.toISOString(),
  expiresAt: order.expires_at.toISOString(),
  attempts: order.attempts_started ?? 0,
  progress: progressSchema.safeParse(order.progress).data ?? null,
  ...(order.status === 'completed' &&
    order.folder_id !== null && {
      folderUrl: `https://drive.google.com/drive/folders/${encodeURIComponent(order.folder_id)}`,
    }),
  ...(order.dead_reason !== null && { failure: { reason: order.dead_reason } }),
});
