import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { putCourse } from '../../sql/courses.ts';
import { COURSE, countRows, placeTestOrder, startTestApi, type TestApi } from '../test-setup.ts';
import { pay, postWebhook, sepayEvent } from './test-webhook.ts';

let api: TestApi;
beforeAll(async () => (api = await startTestApi()));
afterAll(() => api.stop());

const plus = (counts: Record<string, number>, more: Record<string, number>): Record<string, number> => ({
  ...counts,
  ...Object.fromEntries(Object.entries(more).map(([name, n]) => [name, (counts[name] ?? 0) + n])),
});

const statusOf = async (token: string): Promise<Record<string, unknown>> =>
  (await (await fetch(`${api.url}/v1/orders/${token}`)).json()) as Record<string, unknown>;

async function lastPayment(): Promise<unknown> {
  const { rows } = await api.auditor.query(
    `SELECT p.amount_vnd, p.unplaced_reason AS reason, o.code AS "order", q.code AS proposed, e.auth_mode
     FROM payments p JOIN payment_events e ON e.id = p.event_id
     LEFT JOIN orders o ON o.id = p.order_id LEFT JOIN orders q ON q.id = p.proposed_order_id
     ORDER BY p.event_id DESC LIMIT 1`,
  );
  return rows[0];
}

const paidInFull = { payment_events: 1, payments: 1, jobs: 1, tasks: 1 };
const kept = { payment_events: 1, payments: 1 };

describe('a payment', () => {
  test('of the whole amount makes one job with its first task', async () => {
    const order = await placeTestOrder(api);
    const before = await countRows(api);
    await pay(api, `${order.code} chuyen tien`);
    expect(await countRows(api)).toEqual(plus(before, paidInFull));
    expect(await statusOf(order.token)).toMatchObject({ status: 'paid', paidVnd: 499_000 });
    const { rows } = await api.orchestrator.query(
      'SELECT task_identifier FROM graphile_worker.jobs ORDER BY id DESC LIMIT 1',
    );
    expect(rows).toEqual([{ task_identifier: 'enrol' }]);
    expect(await lastPayment()).toEqual({
      amount_vnd: 499_000,
      reason: null,
      order: order.code,
      proposed: null,
      auth_mode: 'hmac',
    });
  });

  test('sent fifty times at once is one event, one payment, one job, one task', async () => {
    const order = await placeTestOrder(api);
    const before = await countRows(api);
    const body = JSON.stringify(sepayEvent({ content: order.code }));
    const responses = await Promise.all(Array.from({ length: 50 }, () => postWebhook(api, body)));
    const answers = await Promise.all(responses.map(async (response) => [response.status, await response.text()]));
    expect(answers).toEqual(Array.from({ length: 50 }, () => [200, '{"success":true}']));
    expect(await countRows(api)).toEqual(plus(before, paidInFull));
  });

  test('in parts makes the job when the sum is there, also when the parts come at once', async () => {
    const order = await placeTestOrder(api);
    const before = await countRows(api);
    await pay(api, order.code, { transferAmount: 99_000 });
    expect(await statusOf(order.token)).toMatchObject({ status: 'pending', paidVnd: 99_000 });
    await Promise.all(Array.from({ length: 4 }, () => pay(api, order.code, { transferAmount: 100_000 })));
    expect(await countRows(api)).toEqual(plus(before, { payment_events: 5, payments: 5, jobs: 1, tasks: 1 }));
    expect(await statusOf(order.token)).toMatchObject({ status: 'paid', paidVnd: 499_000 });
  });

  test('of the price at the time of the order is enough after the price went up', async () => {
    const order = await placeTestOrder(api);
    await putCourse(api.database.poolFor('lading_owner'), { ...COURSE, price_vnd: 999_000 }, undefined);
    await pay(api, order.code);
    await putCourse(api.database.poolFor('lading_owner'), COURSE, undefined);
    expect(await statusOf(order.token)).toMatchObject({ status: 'paid', amountVnd: 499_000 });
  });

  test('with text that the database cannot hold is kept all the same', async () => {
    const order = await placeTestOrder(api);
    await pay(api, `${order.code} \0 \uD800`);
    expect(await statusOf(order.token)).toMatchObject({ status: 'paid' });
  });
});

describe('money that cannot be placed is kept and answered with success', () => {
  test.each([
    ['no_code', { content: 'cam on' }],
    ['unknown_code', { content: 'LD9999999999' }],
    ['outgoing', { transferType: 'out', content: 'LD9999999999' }],
    ['wrong_account', { accountNumber: '9999999999', content: 'LD9999999999' }],
    ['not_positive', { transferAmount: 0, content: 'LD9999999999' }],
  ])('%s', async (reason, changes) => {
    const before = await countRows(api);
    await pay(api, '', changes);
    expect(await countRows(api)).toEqual(plus(before, kept));
    expect(await lastPayment()).toMatchObject({ reason, order: null, proposed: null });
  });

  test('several_codes', async () => {
    const [one, other] = [await placeTestOrder(api), await placeTestOrder(api)];
    await pay(api, `${one.code} ${other.code}`);
    expect(await lastPayment()).toMatchObject({ reason: 'several_codes', order: null, proposed: null });
  });

  test('already_paid, by a second transfer, with the order as proposal', async () => {
    const order = await placeTestOrder(api);
    await pay(api, order.code);
    const before = await countRows(api);
    await pay(api, order.code);
    expect(await countRows(api)).toEqual(plus(before, kept));
    expect(await lastPayment()).toMatchObject({ reason: 'already_paid', order: null, proposed: order.code });
  });

  test("expired, by the bank's time, with the order as proposal", async () => {
    const order = await placeTestOrder(api);
    const inTwoHours = new Date(Date.now() + 9 * 3_600_000).toISOString(); // 7 of them make it Vietnam's time
    await pay(api, order.code, { transactionDate: `${inTwoHours.slice(0, 10)} ${inTwoHours.slice(11, 19)}` });
    expect(await lastPayment()).toMatchObject({ reason: 'expired', order: null, proposed: order.code });
  });

  test('a webhook that comes after the expiry of a transfer made before it is a payment', async () => {
    const order = await placeTestOrder(api);
    const owner = api.database.poolFor('lading_owner');
    await owner.query(
      `UPDATE orders SET created_at = now() - interval '2 hours', expires_at = now() - interval '1 hour' WHERE code = $1`,
      [order.code],
    );
    expect(await statusOf(order.token)).toMatchObject({ status: 'expired' });
    const then = new Date(Date.now() + 5.5 * 3_600_000).toISOString(); // 90 minutes ago in Vietnam
    await pay(api, order.code, { transactionDate: `${then.slice(0, 10)} ${then.slice(11, 19)}` });
    expect(await statusOf(order.token)).toMatchObject({ status: 'paid' });
  });

  test('cancelled, with the order as proposal', async () => {
    const order = await placeTestOrder(api);
    await api.pool.query('UPDATE orders SET cancelled_at = now() WHERE code = $1', [order.code]);
    await pay(api, order.code);
    expect(await lastPayment()).toMatchObject({ reason: 'cancelled', order: null, proposed: order.code });
  });
});

describe('an authentic webhook that cannot be understood is answered with success and kept for the operator', () => {
  const valid = sepayEvent({ content: 'LD9999999999' });
  test.each([
    ['not_json', 'id=1&content=LD9999999999', []],
    ['not_json', '', []],
    ['not_json', Buffer.from([0xff, 0xfe, 0x00]), []],
    ['not_a_transaction', '{"id":1}', ['transactionDate', 'accountNumber', 'transferType', 'transferAmount']],
    ['not_a_transaction', JSON.stringify({ ...valid, transferAmount: 1e12 + 1 }), ['transferAmount']],
    ['not_a_transaction', JSON.stringify({ ...valid, transferAmount: 0.5 }), ['transferAmount']],
    ['not_a_transaction', JSON.stringify({ ...valid, transferAmount: -1 }), ['transferAmount']],
    ['not_a_transaction', JSON.stringify({ ...valid, transactionDate: '2026-02-30 00:00:00' }), ['transactionDate']],
    ['not_a_transaction', '[]', ['']],
    ['not_a_transaction', 'null', ['']],
  ])('%s: %j', async (problem, body, wrongFields) => {
    const raw = Buffer.from(body as string);
    const before = await countRows(api);
    for (const _ of ['sent', 'repeated']) expect(await (await postWebhook(api, raw)).text()).toBe('{"success":true}');
    expect(await countRows(api)).toEqual(plus(before, { events_not_understood: 1 }));
    const { rows } = await api.auditor.query<Record<string, unknown>>(
      'SELECT problem, wrong_fields, raw FROM events_not_understood ORDER BY id DESC LIMIT 1',
    );
    expect(rows).toEqual([{ problem, wrong_fields: wrongFields, raw }]);
    expect(api.logged).toContainEqual(
      expect.objectContaining({ level: 50, msg: 'authentic webhook was not understood', problem }),
    );
  });

  test('id_reused: other money under a known id', async () => {
    const order = await placeTestOrder(api);
    const event = sepayEvent({ content: order.code });
    await postWebhook(api, JSON.stringify(event));
    const before = await countRows(api);
    const other = JSON.stringify({ ...event, transferAmount: 1_000 });
    expect(await (await postWebhook(api, other)).text()).toBe('{"success":true}');
    expect(await countRows(api)).toEqual(plus(before, { events_not_understood: 1 }));
    expect(await api.registry.getSingleMetricAsString('webhooks_not_understood_total')).toMatch(/"id_reused"} [1-9]/);
  });

  test('and one of exactly 16 KiB fits', async () => {
    const raw = Buffer.alloc(16 * 1024, 'x');
    expect((await postWebhook(api, raw)).status).toBe(200);
    expect((await postWebhook(api, Buffer.alloc(16 * 1024 + 1, 'x'))).status).toBe(413);
  });
});

test('the largest transfer is a payment, and many of them can be added up', async () => {
  const order = await placeTestOrder(api);
  await pay(api, order.code, { transferAmount: 1e12 });
  expect(await statusOf(order.token)).toMatchObject({ status: 'paid', paidVnd: 1e12 });
});

test('when the event cannot be stored SePay is asked to come again, and is told no more', async () => {
  const owner = api.database.poolFor('lading_owner');
  await owner.query('REVOKE INSERT ON payments FROM lading_api');
  const order = await placeTestOrder(api);
  const body = JSON.stringify(sepayEvent({ content: order.code }));
  const before = await countRows(api);
  const refused = await postWebhook(api, body);
  expect(await refused.json()).toEqual({
    type: 'urn:lading:problem:internal',
    title: 'Something went wrong here',
    status: 500,
    code: 'internal',
    detail: 'Something went wrong here',
  });
  expect(await countRows(api)).toEqual(before);
  await owner.query('GRANT INSERT ON payments TO lading_api');
  expect(await (await postWebhook(api, body)).text()).toBe('{"success":true}');
  expect(await countRows(api)).toEqual(plus(before, paidInFull));
});

test('an authentic webhook nested deeper than Postgres can hold is kept and answered; brackets in its text are text', async () => {
  const valid = JSON.stringify(sepayEvent({ content: '['.repeat(40) }));
  const before = await countRows(api);
  const deep = `${valid.slice(0, -1)},"more":${'['.repeat(6_400)}${']'.repeat(6_400)}}`;
  expect(await (await postWebhook(api, deep)).text()).toBe('{"success":true}');
  expect(await countRows(api)).toEqual({
    ...before,
    events_not_understood: (before['events_not_understood'] ?? 0) + 1,
  });
  expect(await (await postWebhook(api, valid)).text()).toBe('{"success":true}');
  expect((await countRows(api))['payments']).toBe((before['payments'] ?? 0) + 1);
});
