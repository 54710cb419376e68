import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { pay } from '../payments/test-webhook.ts';
import type { Pool } from '../../sql/pool.ts';
import { hear } from '../../sql/hear.ts';
import { placeTestOrder, runAttempt, startTestApi, type TestApi } from '../test-setup.ts';
import { WATCHERS_OF_ADDRESS_MAX } from '../app.ts';
import { makeNews } from '../news.ts';

let api: TestApi;
let owner: Pool;
beforeAll(async () => {
  api = await startTestApi();
  owner = api.database.poolFor('lading_owner');
});
afterAll(() => api.stop());

type Watching = { next: () => Promise<Record<string, unknown> | undefined>; leave: () => Promise<void> };

async function watch(token: string, from: TestApi = api): Promise<Watching> {
  const gone = new AbortController();
  const response = await fetch(`${from.url}/v1/orders/${token}/events`, { signal: gone.signal });
  expect(response.headers.get('content-type')).toMatch(/^text\/event-stream/);
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  return {
    next: async () => {
      for (;;) {
        const match = /event: status\ndata: (.*)\n\n/.exec(text);
        if (match) {
          text = text.slice(match.index + match[0].length);
          return JSON.parse(match[1] ?? '') as Record<string, unknown>;
        }
        const part = await reader?.read();
        if (!part || part.done) return undefined;
        text += part.value;
      }
    },
    leave: async () => {
      gone.abort();
      while (reader && !(await reader.read().catch(() => ({ done: true }))).done);
    },
  };
}

const listening = async (): Promise<number> => {
  const { rows } = await owner.query<{
    n: number;
  }>(`SELECT count(*)::int AS n FROM pg_stat_activity
      WHERE datname = current_database() AND application_name = 'lading api, listening'`);
  return rows[0]?.n ?? -1;
};
const until = async (holds: () => Promise<boolean>): Promise<void> => {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 20));
};

describe('the events of an order', () => {
  test('show it as it is, and again when money comes and the job moves', async () => {
    const order = await placeTestOrder(api);
    const watching = await watch(order.token);
    expect(await watching.next()).toMatchObject({ code: order.code, status: 'pending', paidVnd: 0 });
    await pay(api, order.code, { transferAmount: 1_000 });
    expect(await watching.next()).toMatchObject({ status: 'pending', paidVnd: 1_000 });
    await pay(api, order.code);
    expect(await watching.next()).toMatchObject({ status: 'paid' });
    await runAttempt(api, order.code);
    let last = await watching.next();
    while (last?.['status'] !== 'downloading') last = await watching.next();
    await watching.leave();
  });

  test('end with a cancelled order; an order that is paid cannot be cancelled', async () => {
    const [order, paid] = [await placeTestOrder(api), await placeTestOrder(api)];
    const watching = await watch(order.token);
    expect(await watching.next()).toMatchObject({ status: 'pending' });
    const cancel = (token: string): Promise<Response> =>
      fetch(`${api.url}/v1/orders/${token}/cancel`, { method: 'POST' });
    for (const _ of ['once', 'twice'])
      expect(await (await cancel(order.token)).json()).toMatchObject({ status: 'cancelled' });
    expect(await watching.next()).toMatchObject({ status: 'cancelled' });
    expect(await watching.next()).toBeUndefined();
    await pay(api, paid.code, { transferAmount: 1_000 });
    expect(await (await cancel(paid.token)).json()).toMatchObject({ status: 409, code: 'order_not_cancellable' });
    expect((await cancel('x'.repeat(43))).status).toBe(404);
  });

  test('show the expiry, of which no notification tells', async () => {
    const order = await placeTestOrder(api);
    await owner.query(`UPDATE orders SET expires_at = now() + interval '1 second' WHERE code = $1`, [order.code]);
    const watching = await watch(order.token);
    expect(await watching.next()).toMatchObject({ status: 'pending' });
    expect(await watching.next()).toMatchObject({ status: 'expired' });
    await watching.leave();
  });

  test('share one connection, which is closed when nobody watches any more', async () => {
    await until(async () => (await listening()) === 0);
    const orders = await Promise.all(Array.from({ length: 5 }, () => placeTestOrder(api)));
    const all = await Promise.all(orders.map(({ token }) => watch(token)));
    for (const one of all) await one.next();
    expect(await listening()).toBe(1);
    for (const one of all) await one.leave();
    await until(async () => (await listening()) === 0);
  });

  test('end when that connection is lost, and begin anew', async () => {
    const order = await placeTestOrder(api);
    const watching = await watch(order.token);
    await watching.next();
    await api.pool.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE datname = current_database() AND application_name = 'lading api, listening'`);
    expect(await watching.next()).toBeUndefined();
    const again = await watch(order.token);
    expect(await again.next()).toMatchObject({ status: 'pending' });
    await again.leave();
  });

  test('of one order are watched by five at most, and by a bounded number in all', async () => {
    const order = await placeTestOrder(api);
    const five = await Promise.all(Array.from({ length: 5 }, () => watch(order.token)));
    const sixth = await fetch(`${api.url}/v1/orders/${order.token}/events`);
    expect(await sixth.json()).toMatchObject({ status: 503, code: 'too_many_listeners' });
    expect(sixth.headers.get('retry-after')).toBe('10');
    for (const one of five) await one.leave();
    const news = makeNews(() => hear(api.database.urlFor('lading_api'), ['lading_orders']), {
      onLost: () => undefined,
      listenersMax: 2,
    });
    const listener = { moved: () => undefined, end: () => undefined };
    const leave = [await news.listen('a', listener), await news.listen('b', { ...listener })];
    await expect(news.listen('c', listener)).rejects.toMatchObject({ code: 'too_many_listeners' });
    for (const one of leave) one();
    expect(news.listeners()).toBe(0);
  });
});

test('an address watches so many orders at once and no more; a place that was left is free again', async () => {
  const own = await startTestApi();
  try {
    const watching: Watching[] = [];
    let order = await placeTestOrder(own);
    for (let n = 0; n < WATCHERS_OF_ADDRESS_MAX; n += 1) {
      // A few may listen to one order.
      if (n % 5 === 0) order = await placeTestOrder(own);
      watching.push(await watch(order.token, own));
    }
    order = await placeTestOrder(own);
    const refused = await fetch(`${own.url}/v1/orders/${order.token}/events`);
    expect([refused.status, ((await refused.json()) as { code: string }).code]).toEqual([503, 'too_many_listeners']);
    await watching.pop()?.leave();
    await until(async () => {
      const gone = new AbortController();
      const { status } = await fetch(`${own.url}/v1/orders/${order.token}/events`, { signal: gone.signal });
      gone.abort();
      return status === 200;
    });
    for (const one of watching) await one.leave();
  } finally {
    await own.stop();
  }
});
