/** Many equal transfers at about the same time, each told twice: by webhook and in the list. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { ledgerTotals } from '../../sql/inbox.ts';
import { countRows, placeTestOrder, startTestApi, type TestApi } from '../test-setup.ts';
import { makeCall, type Answer, type Call } from '../operators/test-keys.ts';
import { recordPayment } from './record-payment.ts';
import type { BankTransaction } from './sepay-event.ts';

const ACCOUNT = '0123456789';
const HALF_VND = 249_500;
const TRANSFERS = 60;
let api: TestApi;
beforeAll(async () => (api = await startTestApi()));
afterAll(() => api.stop());

const told = (source: BankTransaction['source'], n: number, code: string, at: Date): BankTransaction => ({
  source,
  externalId: source === 'sepay_api' ? `list-${n}` : String(n + 1),
  direction: 'in',
  amountVnd: HALF_VND,
  accountNumber: ACCOUNT,
  subAccount: '',
  content: `thanh toan ${code}`,
  code,
  reference: `FT${n}`,
  transferredAt: at,
  body: '{}',
});
const record = (transaction: BankTransaction) =>
  recordPayment(api.pool, transaction, {
    authMode: transaction.source === 'sepay_api' ? 'fetched' : 'hmac',
    ownAccountNumber: ACCOUNT,
  });

test.each(['sepay_api', 'sepay_webhook'] as const)(
  'first by %s, then by the other, newest first: none counts twice',
  async (first) => {
    const second = first === 'sepay_api' ? 'sepay_webhook' : 'sepay_api';
    const offset = first === 'sepay_api' ? 0 : 1_000;
    const orders = [];
    for (let n = 0; n < TRANSFERS; n += 1) orders.push(await placeTestOrder(api));
    const began = Date.now();
    const tellings = orders.map(({ code }, n) => ({ n: offset + n, code, at: new Date(began + n * 4_000) }));
    const before = await countRows(api);
    const balance = async (): Promise<number> =>
      (await ledgerTotals(api.pool)).reduce((sum, one) => sum + Number(one.balance), 0);
    const had = await balance();
    for (const { n, code, at } of tellings)
      expect(await record(told(first, n, code, at))).toMatchObject({ placement: 'applied' });
    for (const { n, code, at } of tellings.toReversed())
      expect(await record(told(second, n, code, at))).toEqual({ placement: 'told_before' });
    const after = await countRows(api);
    expect([after['payments'], after['jobs']]).toEqual([(before['payments'] ?? 0) + TRANSFERS, before['jobs']]);
    expect((await balance()) - had).toBe(TRANSFERS * HALF_VND);
  },
);

test('two equal transfers of the list, and both their webhooks at once: each is the second telling of one', async () => {
  for (let round = 0; round < 10; round += 1) {
    const { code } = await placeTestOrder(api);
    const at = new Date(Date.now() + 3_600_000 + round * 1_000_000);
    const like = (source: BankTransaction['source'], n: number) => ({
      ...told(source, 5_000 + 2 * round + n, code, at),
      reference: 'FT same',
    });
    for (const n of [0, 1]) await record(like('sepay_api', n));
    const both = await Promise.all([record(like('sepay_webhook', 0)), record(like('sepay_webhook', 1))]);
    expect(both).toEqual([{ placement: 'told_before' }, { placement: 'told_before' }]);
  }
});

describe('a doubt', () => {
  type Waiting = { id: string; reason: string; mayRepeat: string };
  let call: Call;
  beforeAll(async () => ({ call } = await makeCall(api)));
  const decide = (id: string, sameAs: string): Promise<Answer> =>
    call('POST', `/v1/payments/inbox/${id}/decision`, {
      action: 'same-transfer',
      sameAs,
      reason: 'the statement shows one',
    });
  const waiting = async (): Promise<Waiting[]> =>
    (await call('GET', '/v1/payments/inbox?limit=100')).body['items'] as Waiting[];
  const balance = async (): Promise<number> =>
    (await ledgerTotals(api.pool)).reduce((sum, one) => sum + Number(one.balance), 0);
  let at = Date.now() + 2_000_000;
  let n = 9_000;
  /** Told by webhook, and then, a little otherwise, in the list. */
  async function doubted(): Promise<{ item: Waiting; told: BankTransaction }> {
    const { code } = await placeTestOrder(api);
    at += 1_000;
    n += 1;
    const first = told('sepay_webhook', n, code, new Date(at));
    await record(first);
    const again = { ...told('sepay_api', n, code, new Date(at)), reference: '' };
    expect(await record(again)).toEqual({ placement: 'possible_repeat' });
    const item = (await waiting()).at(-1);
    if (!item) throw new Error('nothing waits');
    return { item, told: first };
  }

  test('names the payment it may repeat; said to be the same, the transfer is in the ledger once', async () => {
    const had = await balance();
    const { item, told: first } = await doubted();
    expect(item).toMatchObject({
      reason: 'possible_repeat',
      mayRepeat: expect.stringMatching(/^payment:\d+$/) as unknown,
    });
    expect((await balance()) - had).toBe(2 * HALF_VND);
    expect((await decide(item.id, item.mayRepeat)).body).toEqual({ decided: true, job: null });
    expect((await balance()) - had).toBe(HALF_VND);
    expect((await waiting()).map(({ id }) => id)).not.toContain(item.id);
    expect(await decide(item.id, item.mayRepeat)).toMatchObject({ status: 409, body: { code: 'decided_before' } });
    // Both have been told of twice: an equal transfer is another one.
    const other = { ...first, externalId: String(n + 50_000) };
    expect(await record(other)).toMatchObject({ placement: expect.stringMatching(/^(applied|paid)$/) as unknown });
    expect(await record({ ...first, source: 'sepay_api', externalId: `list-${n}-more` })).toEqual({
      placement: 'told_before',
    });
  });

  test('is not the same as other money, as itself, as one of its own source, or as one that was told of twice', async () => {
    const [one, two] = [await doubted(), await doubted()];
    expect((await decide(one.item.id, two.item.id)).status).toBe(409);
    expect((await decide(one.item.id, one.item.id)).status).toBe(409);
    expect((await decide(one.item.id, 'payment:999999999')).status).toBe(409);
    const { rows } = await api.auditor.query<{ id: string }>(
      `SELECT 'payment:' || payment_event_id AS id FROM payment_twins LIMIT 1`,
    );
    expect(await decide(one.item.id, rows[0]?.id ?? '')).toMatchObject({
      status: 409,
      body: { code: 'decision_not_possible', detail: expect.stringContaining('other money') as unknown },
    });
    expect((await waiting()).map(({ id }) => id)).toContain(one.item.id);
    for (const { item } of [one, two]) expect((await decide(item.id, item.mayRepeat)).status).toBe(200);
  });
});

test('candidates for a twin are found by index, however many payments there are', async () => {
  const { rows } = await api.database.poolFor('lading_owner').query<{ 'QUERY PLAN': string }>(
    `EXPLAIN (GENERIC_PLAN) SELECT p.event_id FROM payments p
     WHERE p.source = $1::text AND p.transferred_at BETWEEN $2::timestamptz AND $3::timestamptz
       AND p.account_number = $4::text AND p.amount_vnd = $5::bigint`,
  );
  expect(rows.map((row) => row['QUERY PLAN']).join('\n')).toContain('payments_of_transfer');
});
