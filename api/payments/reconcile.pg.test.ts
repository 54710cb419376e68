import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { makeSePay } from '../../sandbox/sepay/app.ts';
import { countRows, placeTestOrder, SECRETS, startTestApi, type TestApi } from '../test-setup.ts';
import { reconcileOnce, startReconciling, type ReconcileDeps } from './reconcile.ts';

const TOKEN = 'a-token-for-the-list';
const ACCOUNT = '0123456789';
let api: TestApi;
let sepay: Server;
let sepayUrl: string;
let requests: string[];
beforeAll(async () => {
  api = await startTestApi();
  requests = [];
  const handler = makeSePay({
    webhookUrl: `${api.url}/webhooks/sepay`,
    auth: { mode: 'hmac', secret: SECRETS[0] ?? '' },
    retryScale: undefined,
    stop: new AbortController().signal,
    codePattern: undefined,
    apiToken: TOKEN,
    log: pino({ level: 'silent' }),
  });
  sepay = createServer((request, response) => {
    requests.push(request.url ?? '');
    handler(request, response);
  });
  sepay.listen(0, '127.0.0.1');
  await once(sepay, 'listening');
  sepayUrl = `http://127.0.0.1:${(sepay.address() as AddressInfo).port}`;
});
afterAll(async () => {
  sepay.close();
  await api.stop();
});

const deps = (changes: Partial<ReconcileDeps> = {}): ReconcileDeps => ({
  pool: api.pool,
  log: pino({ level: 'silent' }),
  metrics: api.metrics,
  sepayApi: { url: sepayUrl, token: TOKEN },
  ownAccountNumber: ACCOUNT,
  periodSeconds: 1,
  ...changes,
});
const transfer = async (content: string, changes: object = {}): Promise<void> => {
  const body = JSON.stringify({ accountNumber: ACCOUNT, amount: 499_000, content, ...changes });
  const answer = await fetch(`${sepayUrl}/sandbox/transfers`, { method: 'POST', body });
  expect(answer.status).toBe(200);
};
const read = async (): Promise<void> => {
  await api.pool.query(`UPDATE reconciliation SET next_at = now()`);
  expect(await reconcileOnce(deps(), new AbortController().signal)).toBe(true);
};
const statusOf = async (token: string): Promise<unknown> =>
  ((await (await fetch(`${api.url}/v1/orders/${token}`)).json()) as { status: string }).status;

test('a payment whose webhook never came is found in the list and applied, once', async () => {
  const order = await placeTestOrder(api);
  await transfer(order.code, { webhook: false });
  expect(await statusOf(order.token)).toBe('pending');
  await read();
  expect(await statusOf(order.token)).toBe('paid');
  const before = await countRows(api);
  await read();
  expect(await countRows(api)).toEqual(before);
});

test('what the webhook told of is not applied again, whichever comes first', async () => {
  const [one, other] = [await placeTestOrder(api), await placeTestOrder(api)];
  const part = { amount: 100_000 };
  await transfer(one.code, part);
  await read();
  await transfer(other.code, { ...part, id: 500_000, webhook: false });
  await read();
  await fetch(`${sepayUrl}/sandbox/transfers/500000/redeliver`, { method: 'POST' });
  const { rows } = await api.auditor.query(
    `SELECT o.code, count(*)::int AS payments, sum(p.amount_vnd)::int AS paid FROM payments p JOIN orders o ON o.id = p.order_id
     WHERE o.code = ANY ($1::text[]) GROUP BY o.code ORDER BY o.code`,
    [[one.code, other.code]],
  );
  const paid = { payments: 1, paid: 100_000 };
  expect(rows).toEqual([one.code, other.code].toSorted().map((code) => ({ code, ...paid })));
});

test('two equal transfers stay two', async () => {
  const order = await placeTestOrder(api);
  const equal = { amount: 100_000, transactionDate: vietnamNow(), referenceCode: '4170' };
  await transfer(order.code, equal);
  await transfer(order.code, { ...equal, webhook: false });
  await read();
  const { rows } = await api.auditor.query(
    'SELECT count(*)::int AS n FROM payments p JOIN orders o ON o.id = p.order_id WHERE o.code = $1',
    [order.code],
  );
  expect(rows).toEqual([{ n: 2 }]);
});

test('a webhook and a reading at the same moment apply the money once', async () => {
  for (let round = 0; round < 5; round += 1) {
    const order = await placeTestOrder(api);
    const id = 600_000 + round;
    await transfer(order.code, { amount: 1_000 + round, id, webhook: false });
    await Promise.all([read(), fetch(`${sepayUrl}/sandbox/transfers/${id}/redeliver`, { method: 'POST' })]);
    const { rows } = await api.auditor.query(
      'SELECT count(*)::int AS n FROM payments p JOIN orders o ON o.id = p.order_id WHERE o.code = $1',
      [order.code],
    );
    expect(rows).toEqual([{ n: 1 }]);
  }
});

test('a list of several pages is read whole, as fast as SePay allows; of two processes one reads', async () => {
  for (let i = 0; i < 210; i += 1) await transfer('khong co ma', { amount: 10_000 + i, webhook: false });
  requests.length = 0;
  const before = await countRows(api);
  await api.pool.query(`UPDATE reconciliation SET next_at = now()`);
  const answers = await Promise.all(
    [1, 2].map(() => reconcileOnce(deps({ periodSeconds: 60 }), new AbortController().signal)),
  );
  expect(answers.filter(Boolean)).toEqual([true]);
  expect((await countRows(api))['payments']).toBe((before['payments'] ?? 0) + 210);
  expect(requests.length).toBeGreaterThanOrEqual(3);
});

test('a row that cannot be read is kept for an operator, and the list goes on behind it', async () => {
  const order = await placeTestOrder(api);
  const row = (id: string, changes: object) => ({
    id,
    transaction_date: '2026-01-31 07:00:00',
    account_number: ACCOUNT,
    va: null,
    transfer_type: 'in',
    amount_in: 499_000,
    amount_out: 0,
    transaction_content: order.code,
    reference_number: `FT ${id}`,
    code: null,
    ...changes,
  });
  let readings = 0;
  const server = createServer((request, response) => {
    const isSecond = request.url?.includes('broken-row') ?? false;
    // SePay counts its webhooks in the row, and may one day forget to say which row it is.
    if (!isSecond) readings += 1;
    const data = isSecond
      ? [row('good-row', { transaction_date: vietnamNow() })]
      : [row('broken-row', { amount_in: '1000.50', webhook_failed: readings }), { ...row('x', {}), id: null }];
    response.end(JSON.stringify({ data, meta: { pagination: { has_more: !isSecond } } }));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const wanted = deps({ sepayApi: { url, token: TOKEN } });
  for (let n = 0; n < 2; n += 1) {
    await api.pool.query('UPDATE reconciliation SET next_at = now()');
    expect(await reconcileOnce(wanted, new AbortController().signal)).toBe(true);
  }
  expect(readings).toBe(2);
  expect(await statusOf(order.token)).toBe('paid');
  const { rows } = await api.auditor.query(
    `SELECT wrong_fields FROM events_not_understood WHERE source = 'sepay_api' ORDER BY id`,
  );
  expect(rows).toEqual([{ wrong_fields: ['amount_in'] }, { wrong_fields: ['id'] }]);
  server.close();
});

test.each([
  ['no row says which it is', { id: null }],
  ['the cursor does not move', { id: 'the-same' }],
])('a list that does not go on is an error: %s', async (_, row) => {
  const server = createServer((_request, response) => {
    response.end(JSON.stringify({ data: [row], meta: { pagination: { has_more: true } } }));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  await api.pool.query('UPDATE reconciliation SET next_at = now()');
  const wanted = deps({ sepayApi: { url, token: TOKEN } });
  await expect(reconcileOnce(wanted, new AbortController().signal)).rejects.toThrow(/does not go on/);
  server.close();
});
test('a wrong token is an error, and nothing counts as read', async () => {
  await api.pool.query(`UPDATE reconciliation SET next_at = now(), complete_at = NULL`);
  const wrong = deps({ sepayApi: { url: sepayUrl, token: 'wrong' } });
  await expect(reconcileOnce(wrong, new AbortController().signal)).rejects.toThrow(/401/);
  const { rows } = await api.auditor.query('SELECT complete_at FROM reconciliation');
  expect(rows).toEqual([{ complete_at: null }]);
});

test('it reads while an order awaits payment, within a period, and not otherwise', async () => {
  const own = await startTestApi();
  const reconciling = startReconciling(deps({ pool: own.pool }), own.news);
  try {
    requests.length = 0;
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect(requests).toEqual([]);
    const order = await placeTestOrder(own);
    await transfer(order.code, { webhook: false });
    const paid = async (): Promise<boolean> =>
      ((await (await fetch(`${own.url}/v1/orders/${order.token}`)).json()) as { status: string }).status === 'paid';
    const startedAt = Date.now();
    while (!(await paid())) await new Promise((resolve) => setTimeout(resolve, 50));
    expect(Date.now() - startedAt).toBeLessThan(10_000);
  } finally {
    await reconciling.stop();
    await own.stop();
  }
});

function vietnamNow(): string {
  const now = new Date(Date.now() + 7 * 3_600_000).toISOString();
  return `${now.slice(0, 10)} ${now.slice(11, 19)}`;
}
