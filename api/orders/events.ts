/**
 * Server-sent events of an order: its status now, and again whenever it moved. All streams of a process share one
 * LISTEN connection, which stands only while somebody watches; between two moves nothing is asked of Postgres.
 */
import { PassThrough } from 'node:stream';
import type { Hearing } from '../../sql/hear-orders.ts';
import type { OrderStatus } from '../../sql/orders.ts';
import { Problem } from '../problem.ts';

const LISTENERS_MAX = 500;
const LISTENERS_OF_ORDER_MAX = 5;
const STREAM_LIMIT_MS = 15 * 60_000;
/** Below the idle limits usual in proxies. */
const HEARTBEAT_MS = 20_000;
const RETRY_MS = 2_000;
/** One look shows all that moved within this time. */
const GATHER_MS = 100;
const UNREAD_MAX_BYTES = 64 * 1024;
const RETRY_AFTER_SECONDS = 10;
const ENDED: ReadonlySet<OrderStatus> = new Set(['completed', 'failed', 'cancelled']);

/** No order has this id. */
const ALL = '*';

type Listener = { moved: () => void; end: () => void };
export type OrderNews = {
  /** Throws `too_many_listeners`. Answers how to stop listening. */
  listen: (orderId: string, listener: Listener) => Promise<() => void>;
  /** Hears of every order; ends with the connection. */
  listenToAll: (listener: Listener) => Promise<void>;
  listeners: () => number;
  stop: () => Promise<void>;
};

export function makeOrderNews(
  open: () => Promise<Hearing>,
  { onLost, listenersMax = LISTENERS_MAX }: { onLost: (error: Error) => void; listenersMax?: number },
): OrderNews {
  const byOrder = new Map<string, Set<Listener>>();
  let count = 0;
  let hearing: Promise<Hearing> | undefined;

  /** Whoever watches hears nothing any more: the streams end, and their readers come again. */
  function lose(lost: Promise<Hearing>, error: Error): void {
    if (hearing !== lost) return;
    hearing = undefined;
    onLost(error);
    endAll();
  }

  function connect(): Promise<Hearing> {
    if (hearing) return hearing;
    const opening = open();
    hearing = opening;
    opening.then(
      (connected) => {
        connected.onMoved((orderId) => {
          for (const key of [orderId, ALL]) byOrder.get(key)?.forEach((listener) => listener.moved());
        });
        void connected.ended.then((error) => error && lose(opening, error));
      },
      () => {
        if (hearing === opening) hearing = undefined;
      },
    );
    return opening;
  }

  function endAll(): void {
    for (const [key, listeners] of byOrder)
      for (const listener of listeners) {
        // Streams leave when they have ended.
        if (key === ALL && listeners.delete(listener)) count -= 1;
        listener.end();
      }
  }

  async function closeUnheard(): Promise<void> {
    if (count > 0 || !hearing) return;
    const last = hearing;
    hearing = undefined;
    await last.then((connected) => connected.close()).catch(() => undefined);
  }

  async function add(orderId: string, listener: Listener): Promise<() => void> {
    const listeners = byOrder.get(orderId) ?? new Set();
    if (count >= listenersMax || listeners.size >= LISTENERS_OF_ORDER_MAX)
      throw new Problem('too_many_listeners', undefined, { headers: { 'Retry-After': String(RETRY_AFTER_SECONDS) } });
    byOrder.set(orderId, listeners.add(listener));
    count += 1;
    const leave = (): void => {
      if (!listeners.delete(listener)) return;
      count -= 1;
      if (listeners.size === 0) byOrder.delete(orderId);
      void closeUnheard();
    };
    try {
      await connect();
    } catch (error) {
      leave();
      throw error;
    }
    return leave;
  }

  return {
    listen: add,
    listenToAll: async (listener) => {
      await add(ALL, listener);
    },
    listeners: () => count,
    stop: async () => {
      endAll();
      await closeUnheard();
    },
  };
}

export type Look = { status: OrderStatus; expiresAt: Date; answer: object };

/** The stream of one reader. `look` reads the order; it is asked once at first, and then only when something moved. */
export async function orderEvents(
  news: OrderNews,
  orderId: string,
  look: () => Promise<Look | undefined>,
): Promise<PassThrough> {
  const stream = new PassThrough();
  let shown = '';
  let looking = false;
  let again = false;
  let expiry: NodeJS.Timeout | undefined;
  const end = (): void => void stream.end();

  async function show(): Promise<void> {
    const now = await look();
    if (!now || stream.writableEnded) return end();
    const text = JSON.stringify(now.answer);
    if (text !== shown) stream.write(`event: status\ndata: ${text}\n\n`);
    shown = text;
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

  // Listening comes first, so that nothing moves unseen between the look and it.
  const leave = await news.listen(orderId, { moved, end });
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
  });
  stream.write(`retry: ${RETRY_MS}\n\n`);
  await show().catch((error: unknown) => {
    stream.destroy();
    throw error;
  });
  return stream;
}
