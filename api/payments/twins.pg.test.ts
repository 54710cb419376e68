/** Many equal transfers at about the same time, each told twice: by webhook and in the list. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { ledgerTotals } from '../../sql/inbox.ts';
import { countRows, placeTestOrder, startTestApi, type TestApi } from '../test-setup.ts';
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
