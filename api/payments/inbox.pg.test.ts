import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { ledgerTotals, listInbox } from '../../sql/inbox.ts';
import { COURSE, countRows, placeTestOrder, startTestApi, type TestApi } from '../test-setup.ts';
import type { Act } from '../../sql/operating.ts';
import { testAct } from '../../test/act.ts';
import { decide, itemOf, type Action, type Decided } from './decide.ts';
import { pay, postWebhook } from './test-webhook.ts';

let api: TestApi;
let operator: Act;
beforeAll(async () => {
  api = await startTestApi();
  operator = await testAct(api.database.poolFor('lading_owner'));
});
afterAll(() => api.stop());

const reason = 'the customer wrote';
const inbox = () => listInbox(api.pool, undefined, 100);
const newest = async () => (await inbox()).at(-1)?.id ?? '';
const act = (id: string, action: Action & { amountVnd?: number }): Promise<Decided> =>
  decide(api.pool, operator, itemOf(id) ?? { kind: 'event', id: 0 }, { ...action, reason });
const statusOf = async (token: string): Promise<unknown> => (await fetch(`${api.url}/v1/orders/${token}`)).json();

describe('money that stands unplaced', () => {
  test('waits with its reason and the proposed order, until it is assigned; then the job begins, once', async () => {
    const order = await placeTestOrder(api);
    await api.pool.query('UPDATE orders SET cancelled_at = now() WHERE code = $1', [order.code]);
    await pay(api, `${order.code} xin loi`);
    expect((await inbox()).at(-1)).toMatchObject({
      reason: 'cancelled',
      amount_vnd: 499_000,
      content: `${order.code} xin loi`,
      proposed_order_code: order.code,
    });
    const before = await countRows(api);
    const id = await newest();
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => act(id, { action: 'assign', orderCode: order.code })),
    );
    expect(answers.map(({ result }) => result).toSorted()).toEqual([
      'decided',
      ...Array<string>(9).fill('decided_before'),
    ]);
    expect(await countRows(api)).toEqual({
      ...before,
      jobs: (before['jobs'] ?? 0) + 1,
      tasks: (before['tasks'] ?? 0) + 1,
    });
    expect(await statusOf(order.token)).toMatchObject({ status: 'paid', paidVnd: 499_000 });
    expect((await inbox()).map((item) => item.id)).not.toContain(id);
    const { rows } = await api.auditor.query<object>(
      'SELECT action, unplaced_reason, person, reason FROM inbox_decisions ORDER BY id DESC LIMIT 1',
    );
    expect(rows).toEqual([{ action: 'assigned', unplaced_reason: 'cancelled', person: 'an operator', reason }]);
  });

  test('assigned in part is a part; assigned to a paid order it makes no second job', async () => {
    const order = await placeTestOrder(api);
    await pay(api, 'khong co ma', { transferAmount: 99_000 });
    expect(await act(await newest(), { action: 'assign', orderCode: order.code })).toEqual({
      result: 'decided',
      job: undefined,
    });
    await pay(api, order.code, { transferAmount: 400_000 });
    expect(await statusOf(order.token)).toMatchObject({ status: 'paid', paidVnd: 499_000 });
    await pay(api, order.code);
    const before = await countRows(api);
    expect(await act(await newest(), { action: 'assign', orderCode: order.code })).toMatchObject({ result: 'decided' });
    expect(await countRows(api)).toEqual(before);
  });

  test.each(['refund-recorded', 'ignore'] as const)(
    '%s takes it out of the inbox and leaves it unplaced',
    async (action) => {
      await pay(api, 'khong co ma');
      const id = await newest();
      expect(await act(id, { action })).toEqual({ result: 'decided' });
      expect(await act(id, { action })).toEqual({ result: 'decided_before' });
      expect((await inbox()).map((item) => item.id)).not.toContain(id);
    },
  );

  test('an unknown order, an unknown thing, money that is not there', async () => {
    await pay(api, '', { transferAmount: 0 });
    const id = await newest();
    const order = await placeTestOrder(api);
    expect(await act(id, { action: 'assign', orderCode: 'LD9999999999' })).toEqual({ result: 'order_unknown' });
    expect(await act(id, { action: 'assign', orderCode: order.code })).toEqual({ result: 'no_money' });
    for (const unknown of ['payment:999999', 'event:999999', 'order:LD9999999999'])
      expect(await act(unknown, { action: 'ignore' })).toEqual({ result: 'unknown' });
    for (const name of ['payment:', "payment:1'", 'job:1', 'order:LD99999999L9', 'order:', 'event:1234567890123456'])
      expect(itemOf(name)).toBeUndefined();
  });
});

test('an event that was not understood waits as it came, and can be ignored', async () => {
  await postWebhook(api, 'amount=1000');
  const item = (await inbox()).at(-1);
  expect(item).toMatchObject({ reason: 'not_understood: not_json', raw: Buffer.from('amount=1000') });
  expect(await act(item?.id ?? '', { action: 'refund-recorded' })).toEqual({ result: 'not_possible' });
  expect(await act(item?.id ?? '', { action: 'ignore' })).toEqual({ result: 'decided' });
  expect(await act(item?.id ?? '', { action: 'ignore' })).toEqual({ result: 'decided_before' });
});

test('the inbox is read in pages, each thing once', async () => {
  for (let i = 0; i < 5; i += 1) await pay(api, 'khong co ma');
  const seen: string[] = [];
  let after: { since: Date; id: string } | undefined;
  for (;;) {
    const page = await listInbox(api.pool, after, 2);
    if (page.length === 0) break;
    seen.push(...page.map(({ id }) => id));
    after = page.at(-1);
  }
  expect(seen).toEqual((await inbox()).map(({ id }) => id));
  expect(new Set(seen).size).toBe(seen.length);
});

test('the API itself can neither move money nor take back what was decided', async () => {
  for (const forbidden of [
    'UPDATE payments SET order_id = NULL',
    'UPDATE payments SET amount_vnd = 1',
    'DELETE FROM payments',
    'DELETE FROM payment_events',
    "INSERT INTO inbox_decisions (payment_event_id, action, person, reason) VALUES (1, 'ignored', 'x', 'x')",
    'DELETE FROM inbox_decisions',
    'DELETE FROM events_not_understood',
    'UPDATE events_not_understood SET problem = problem',
    'DELETE FROM payment_twins',
    'INSERT INTO uneven_orders SELECT id FROM orders',
    "INSERT INTO changes (key_id, request_id, action, subject) SELECT id, id, 'x', 'x' FROM api_keys",
  ])
    await expect(api.pool.query(forbidden)).rejects.toThrow(/permission denied/);
  // Not even the owner changes what was received.
  await expect(api.database.poolFor('lading_owner').query('DELETE FROM inbox_decisions')).rejects.toThrow(
    /append-only/,
  );
});

test("the ledger sums to the bank's feed, with every transfer in one place", async () => {
  const own = await startTestApi();
  try {
    const by = await testAct(own.database.poolFor('lading_owner'));
    const orders = await Promise.all(Array.from({ length: 4 }, () => placeTestOrder(own)));
    const feed: { amount: number; out: boolean }[] = [];
    for (let i = 0; i < 60; i += 1) {
      const amount = 1_000 * (1 + ((i * 7_919) % 700));
      const out = i % 11 === 0;
      const content =
        i % 5 === 0 ? 'khong co ma' : `${orders[i % 4]?.code ?? ''} ${i % 13 === 0 ? orders[(i + 1) % 4]?.code : ''}`;
      feed.push({ amount, out });
      await pay(own, content, {
        transferAmount: amount,
        transferType: out ? 'out' : 'in',
        accountNumber: i % 17 === 0 ? '9' : '0123456789',
      });
    }
    const waiting = await listInbox(own.pool, undefined, 200);
    expect(waiting.some(({ id }) => id.startsWith('order:'))).toBe(true);
    const actions: Action[] = [
      { action: 'assign', orderCode: orders[0]?.code ?? '' },
      { action: 'refund-recorded' },
      { action: 'ignore' },
    ];
    for (const [i, { id }] of waiting.slice(0, 12).entries()) {
      const amountVnd = (await listInbox(own.pool, undefined, 200)).find((one) => one.id === id)?.amount_vnd;
      const item = itemOf(id);
      if (!item) throw new Error(`${id} is no name`);
      const wish =
        item.kind === 'order' ? { action: 'refund-recorded' as const, amountVnd: amountVnd ?? 0 } : actions[i % 3];
      expect(await decide(own.pool, by, item, { ...(wish ?? { action: 'ignore' }), reason })).toMatchObject({
        result: 'decided',
      });
    }
    const totals = await ledgerTotals(own.pool);
    const balance = feed.reduce((sum, { amount, out }) => sum + (out ? -amount : amount), 0);
    expect(totals.reduce((sum, one) => sum + Number(one.balance), 0)).toBe(balance);
    expect(totals.reduce((sum, one) => sum + one.transfers, 0)).toBe(feed.length);
    expect(totals.map(({ stands }) => stands)).toEqual([
      'applied',
      'ignored',
      'outgoing',
      'refund_recorded',
      'unplaced',
    ]);
    const { rows } = await own.auditor.query<{ applied: number; paid: number }>(
      `SELECT (SELECT sum(balance_vnd) FROM ledger WHERE stands = 'applied')::bigint AS applied,
              (SELECT sum(amount_vnd) FROM payments WHERE order_id IS NOT NULL)::bigint
                - (SELECT coalesce(sum(amount_vnd), 0) FROM money_left_over)::bigint
                - (SELECT coalesce(sum(amount_vnd), 0) FROM inbox_decisions WHERE from_order_id IS NOT NULL)::bigint AS paid`,
    );
    expect(rows[0]?.applied).toBe(rows[0]?.paid);
    expect(COURSE.price_vnd).toBeLessThan(rows[0]?.applied ?? 0);
  } finally {
    await own.stop();
  }
});
