/** Money that was applied to an order which has no use for it. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { bury } from '../../test/moves.ts';
import { makeWorld, testJobIn } from '../../test/orders.ts';
import { makeCall, type Answer, type Call } from '../operators/test-keys.ts';
import { placeTestOrder, startTestApi, type TestApi } from '../test-setup.ts';
import { pay } from './test-webhook.ts';

const PRICE = 499_000;
type Item = { id: string; reason: string; amountVnd: number };
let api: TestApi;
let call: Call;
beforeAll(async () => {
  api = await startTestApi();
  ({ call } = await makeCall(api));
});
afterAll(() => api.stop());

const inbox = async (): Promise<Item[]> => (await call('GET', '/v1/payments/inbox?limit=100')).body['items'] as Item[];
const decide = (code: string, decision: object): Promise<Answer> =>
  call('POST', `/v1/payments/inbox/order:${code}/decision`, { reason: 'the customer called', ...decision });
const ledger = async (): Promise<Record<string, number>> => {
  const totals = (await call('GET', '/v1/payments/ledger')).body['totals'] as { stands: string; balanceVnd: string }[];
  return Object.fromEntries(totals.map(({ stands, balanceVnd }) => [stands, Number(balanceVnd)]));
};
const fed = async (): Promise<number> => Object.values(await ledger()).reduce((sum, one) => sum + one, 0);
const expire = (code: string) =>
  database().query(
    `UPDATE orders SET created_at = created_at - interval '2 days', expires_at = now() WHERE code = $1`,
    [code],
  );
const database = () => api.database.poolFor('lading_owner');
const statusOf = async (token: string): Promise<Record<string, unknown>> =>
  (await (await fetch(`${api.url}/v1/orders/${token}`)).json()) as Record<string, unknown>;
/** Paid in part, and then its time was over. */
async function short(paidVnd: number) {
  const order = await placeTestOrder(api);
  await pay(api, order.code, { transferAmount: paidVnd });
  await expire(order.code);
  return order;
}

let had = 0;
let before: Record<string, number> = {};
beforeEach(async () => {
  before = await ledger();
  had = await fed();
});
const moved = async (stands: string): Promise<number> => ((await ledger())[stands] ?? 0) - (before[stands] ?? 0);

describe('too much', () => {
  test('waits as what is over, and once it was given back the order still has its price', async () => {
    const order = await placeTestOrder(api);
    await pay(api, order.code, { transferAmount: PRICE + 1_000 });
    expect(await inbox()).toContainEqual(
      expect.objectContaining({ id: `order:${order.code}`, reason: 'overpaid', amountVnd: 1_000 }),
    );
    expect([await moved('applied'), await moved('unplaced')]).toEqual([PRICE, 1_000]);
    expect(await decide(order.code, { action: 'refund-recorded', amountVnd: 999 })).toMatchObject({
      status: 409,
      body: { code: 'amount_changed' },
    });
    const refund = { action: 'refund-recorded', amountVnd: 1_000 };
    expect((await decide(order.code, refund)).status).toBe(200);
    expect(await decide(order.code, refund)).toMatchObject({ status: 409, body: { code: 'decided_before' } });
    expect([await moved('applied'), await moved('unplaced'), await moved('refund_recorded')]).toEqual([
      PRICE,
      0,
      1_000,
    ]);
    expect((await fed()) - had).toBe(PRICE + 1_000);
    expect(await statusOf(order.token)).toMatchObject({ status: 'paid', paidVnd: PRICE });
  });

  test('goes to another order, whose job begins with it', async () => {
    const [from, to] = [await placeTestOrder(api), await placeTestOrder(api)];
    await pay(api, from.code, { transferAmount: 2 * PRICE });
    const decided = await decide(from.code, { action: 'assign', orderCode: to.code, amountVnd: PRICE });
    expect(decided.body).toEqual({ decided: true, job: expect.any(String) as unknown });
    expect(await statusOf(to.token)).toMatchObject({ status: 'paid', paidVnd: PRICE });
    expect(await statusOf(from.token)).toMatchObject({ status: 'paid', paidVnd: PRICE });
    expect([await moved('applied'), await moved('unplaced')]).toEqual([2 * PRICE, 0]);
    expect((await fed()) - had).toBe(2 * PRICE);
  });

  test('left there with a reason it waits no more, until there is more of it', async () => {
    const order = await placeTestOrder(api);
    await pay(api, order.code, { transferAmount: PRICE + 500 });
    expect((await decide(order.code, { action: 'ignore', amountVnd: 500 })).status).toBe(200);
    expect((await inbox()).map(({ id }) => id)).not.toContain(`order:${order.code}`);
    expect(await moved('ignored')).toBe(500);
    await pay(api, 'khong co ma', { transferAmount: 300 });
    const unplaced = (await inbox()).find(({ reason }) => reason === 'no_code');
    const more = { action: 'assign', orderCode: order.code, reason: 'he says so' };
    expect((await call('POST', `/v1/payments/inbox/${unplaced?.id}/decision`, more)).status).toBe(200);
    expect(await inbox()).toContainEqual(expect.objectContaining({ id: `order:${order.code}`, amountVnd: 300 }));
    expect((await fed()) - had).toBe(PRICE + 800);
  });

  test('exactly the price leaves nothing over, in parts too', async () => {
    const order = await placeTestOrder(api);
    await pay(api, order.code, { transferAmount: 99_000 });
    await pay(api, order.code, { transferAmount: 400_000 });
    await expire(order.code);
    expect((await inbox()).map(({ id }) => id)).not.toContain(`order:${order.code}`);
    const { rowCount } = await api.auditor.query(
      'SELECT FROM uneven_orders u JOIN orders o ON o.id = u.order_id WHERE o.code = $1',
      [order.code],
    );
    expect(rowCount).toBe(0);
  });
});

describe('too little by the time the order ended', () => {
  test('waits only then; what was given back no longer counts for the order', async () => {
    const order = await placeTestOrder(api);
    await pay(api, order.code, { transferAmount: 400_000 });
    expect((await inbox()).map(({ id }) => id)).not.toContain(`order:${order.code}`);
    await expire(order.code);
    expect(await inbox()).toContainEqual(
      expect.objectContaining({ id: `order:${order.code}`, reason: 'underpaid_expired', amountVnd: 400_000 }),
    );
    expect((await decide(order.code, { action: 'refund-recorded', amountVnd: 400_000 })).status).toBe(200);
    expect(await statusOf(order.token)).toMatchObject({ status: 'expired', paidVnd: 0 });
    // It was sent in time and came late: it does not make up for what was given back.
    const sent = new Date(Date.now() + 7 * 3_600_000 - 60_000).toISOString().replace('T', ' ').slice(0, 19);
    await pay(api, order.code, { transferAmount: 99_000, transactionDate: sent });
    expect(await statusOf(order.token)).toMatchObject({ status: 'expired', paidVnd: 99_000 });
    expect(await inbox()).toContainEqual(expect.objectContaining({ id: `order:${order.code}`, amountVnd: 99_000 }));
    expect((await fed()) - had).toBe(499_000);
  });

  test('moves whole to the order that the customer made instead, by as many at once as like', async () => {
    const from = await short(400_000);
    const to = await placeTestOrder(api);
    await pay(api, to.code, { transferAmount: 99_000 });
    const wish = { action: 'assign', orderCode: to.code, amountVnd: 400_000 };
    const answers = await Promise.all(Array.from({ length: 8 }, () => decide(from.code, wish)));
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, ...Array<number>(7).fill(409)]);
    expect(await statusOf(to.token)).toMatchObject({ status: 'paid', paidVnd: PRICE });
    expect((await fed()) - had).toBe(PRICE);
  });

  test('two orders that give to one another at once both end, and nothing is lost', async () => {
    const [one, other] = [await short(1_000), await short(2_000)];
    const answers = await Promise.all([
      decide(one.code, { action: 'assign', orderCode: other.code, amountVnd: 1_000 }),
      decide(other.code, { action: 'assign', orderCode: one.code, amountVnd: 2_000 }),
    ]);
    for (const { status } of answers) expect([200, 409]).toContain(status);
    expect((await fed()) - had).toBe(3_000);
  });

  test.each([
    ['to itself', (code: string) => ({ action: 'assign', orderCode: code, amountVnd: 1_000 }), 409],
    ['as a repeat', () => ({ action: 'same-transfer', sameAs: 'payment:1', amountVnd: 1_000 }), 409],
    ['without the amount', () => ({ action: 'ignore' }), 422],
    ['with a sum of nothing', () => ({ action: 'ignore', amountVnd: 0 }), 422],
    ['to nobody', () => ({ action: 'assign', orderCode: 'LD9999999999', amountVnd: 1_000 }), 404],
  ])('is not decided %s', async (_, decision, status) => {
    const { code } = await short(1_000);
    expect((await decide(code, decision(code))).status).toBe(status);
    expect(await inbox()).toContainEqual(expect.objectContaining({ id: `order:${code}`, amountVnd: 1_000 }));
  });
});

test('what was paid for a job that was cancelled waits whole; once it was given back the job does not run again', async () => {
  const order = await placeTestOrder(api);
  await pay(api, order.code);
  expect((await call('POST', `/v1/jobs/${order.code}/cancel`, { reason: 'he called' })).status).toBe(200);
  expect(await inbox()).toContainEqual(
    expect.objectContaining({ id: `order:${order.code}`, reason: 'job_cancelled', amountVnd: PRICE }),
  );
  expect((await decide(order.code, { action: 'refund-recorded', amountVnd: PRICE })).status).toBe(200);
  expect(await call('POST', `/v1/jobs/${order.code}/retry`, { reason: 'x' })).toMatchObject({
    status: 409,
    body: { code: 'job_not_paid' },
  });
  expect((await fed()) - had).toBe(PRICE);
});

test('a refund and a redrive at the same moment: one of them, never both', async () => {
  for (let round = 0; round < 12; round += 1) {
    const { code } = await placeTestOrder(api);
    await pay(api, code);
    expect((await call('POST', `/v1/jobs/${code}/cancel`, { reason: 'he called' })).status).toBe(200);
    const refund = () => decide(code, { action: 'refund-recorded', amountVnd: PRICE });
    const redrive = () => call('POST', `/v1/jobs/${code}/retry`, { reason: 'he called again' });
    const [first, second] = round % 2 === 0 ? [refund, redrive] : [redrive, refund];
    const answers = await Promise.all([first(), second()]);
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 409]);
  }
});

test('what was paid for a job that failed waits whole beside its dead letter, unless its customer has the course', async () => {
  const world = await makeWorld(api.database);
  const codes = [];
  for (const isGranted of [false, true]) {
    const job = await testJobIn(world, 'delivering');
    if (isGranted)
      await world.owner.query(
        `INSERT INTO deliveries (job_id, granted_to, permission_id, granted_at)
         SELECT $1::uuid, email, 'p', now() FROM orders WHERE id = $2`,
        [job.id, job.order_id],
      );
    await bury(world.orchestrator, job.id, 'delivering', 'mail_refused', 'by a test');
    const { rows } = await world.owner.query<{ code: string }>('SELECT code FROM orders WHERE id = $1', [job.order_id]);
    const code = rows[0]?.code ?? '';
    await pay(api, code);
    const item = (await inbox()).find(({ reason }) => reason === 'already_paid');
    const wish = { action: 'assign', orderCode: code, reason: 'it is for this one' };
    expect((await call('POST', `/v1/payments/inbox/${item?.id}/decision`, wish)).status).toBe(200);
    codes.push(`order:${code}`);
  }
  const waiting = await inbox();
  expect(waiting).toContainEqual(expect.objectContaining({ id: codes[0], reason: 'job_failed', amountVnd: PRICE }));
  expect(waiting.map(({ id }) => id)).not.toContain(codes[1]);
});

test('redriven instead, its money is where it was', async () => {
  const order = await placeTestOrder(api);
  await pay(api, order.code);
  for (const act of ['cancel', 'retry'])
    expect((await call('POST', `/v1/jobs/${order.code}/${act}`, { reason: 'he called' })).status).toBe(200);
  expect((await inbox()).map(({ id }) => id)).not.toContain(`order:${order.code}`);
  expect(await moved('applied')).toBe(PRICE);
});

test('nobody but an operator decides, by the word of the database too', async () => {
  const { code } = await short(1_000);
  const ignore = { action: 'ignore', amountVnd: 1_000, reason: 'x' };
  for (const role of ['auditor', 'shop'] as const)
    expect((await call('POST', `/v1/payments/inbox/order:${code}/decision`, ignore, role)).status).toBe(403);
  const { rows } = await api.auditor.query<{ id: string }>(`SELECT id FROM api_keys WHERE role = 'auditor'`);
  const key = rows[0]?.id;
  for (const statement of [
    `SELECT operator_decides_left_over($1, $1, (SELECT order_id FROM money_left_over LIMIT 1), 1000, 'ignored', NULL, 'x')`,
    `SELECT operator_decides_payment($1, $1, (SELECT min(event_id) FROM payments), 'ignored', NULL, NULL, 'x')`,
    `SELECT operator_dismisses_event($1, $1, 1, 'x')`,
    `SELECT key_resends_shop_event($1, $1, $1)`,
  ])
    await expect(api.pool.query(statement, [key])).rejects.toMatchObject({ code: 'LD004' });
});
