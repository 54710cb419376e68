/**
 * Server-sent events of an order: its status now, and again whenever it moved. Between two moves nothing is asked of
 * Postgres.
 */
import { PassThrough } from 'node:stream';
import type { OrderStatus } from '../../sql/orders.ts';
import type { News } from '../news.ts';

const STREAM_LIMIT_MS = 15 * 60_000;
/** Below the idle limits usual in proxies. */
const HEARTBEAT_MS = 20_000;
const RETRY_MS = 2_000;
/** One look shows all that moved within this time. */
const GATHER_MS = 100;
/** How often a waiting order is looked at while others move, which may bring it forward. */
const QUEUE_LOOK_MS = 5_000;
const UNREAD_MAX_BYTES = 64 * 1024;
/** What failed may go on: an operator runs it again, or decides about its money. */
const ENDED: ReadonlySet<OrderStatus> = new Set(['completed', 'cancelled']);

/** `waits`: others that move change the answer too. */
export type Look = { status: OrderStatus; expiresAt: Date; waits: boolean; answer: object };

/** The stream of one reader. `look` reads the order; it is asked once at first, and then only when something moved. */
export async function orderEvents(
  news: News,
  orderId: string,
  look: () => Promise<Look | undefined>,
  queueLookMs = QUEUE_LOOK_MS,
): Promise<PassThrough> {
  const stream = new PassThrough();
  let shown = '';
  let looking = false;
  let again = false;
  let expiry: NodeJS.Timeout | undefined;
  let waits = false;
  let queueLook: NodeJS.Timeout | undefined;
  const end = (): void => void stream.end();

  async function show(): Promise<void> {
    const now = await look();
    if (!now || stream.writableEnded) return end();
    const text = JSON.stringify(now.answer);
    if (text !== shown) stream.write(`event: status\ndata: ${text}\n\n`);
    shown = text;
    waits = now.waits;
    clearTimeout(expiry);
    // Time alone moves an order too, and no notification tells of it.
    const leftMs = now.expiresAt.getTime() - Date.now();
    if (now.status === 'pending' && leftMs < STREAM_LIMIT_MS)
      expiry = setTimeout(moved, Math.max(leftMs, 0) + GATHER_MS);
    return ENDED.has(now.status) ? end() : undefined;
  }

  function moved(): void {
    again = true;
    if (looking) return;
    looking = true;
    setTimeout(() => {
      again = false;
      show()
        .catch(end)
        .finally(() => {
          looking = false;
          if (again && !stream.writableEnded) moved();
        });
    }, GATHER_MS);
  }

  function anyMoved(): void {
    if (!waits || queueLook) return;
    queueLook = setTimeout(() => {
      queueLook = undefined;
      moved();
    }, queueLookMs);
  }

  // Listening comes first, so that nothing moves unseen between the look and it.
  const leave = await news.listen(orderId, { moved, anyMoved, end });
  const heartbeat = setInterval(() => {
    // A reader that does not read is no reader.
    if (stream.readableLength > UNREAD_MAX_BYTES) stream.destroy();
    else stream.write(': still here\n\n');
  }, HEARTBEAT_MS);
  const limit = setTimeout(end, STREAM_LIMIT_MS);
  stream.once('close', () => {
    leave();
    clearInterval(heartbeat);
    clearTimeout(limit);
    clearTimeout(expiry);
    clearTimeout(queueLook);
  });
  stream.write(`retry: ${RETRY_MS}\n\n`);
  await show().catch((error: unknown) => {
    stream.destroy();
    throw error;
  });
  return stream;
}
