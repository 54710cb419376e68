/** What banks make of a transfer, and where its money goes: the table that decides arguments about money. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { PayableOrder } from '../../sql/payments.ts';
import { makeOrderCode } from '../orders/order-code.ts';
import { findCodes, matchPayment, type Match } from './match.ts';
import { parseSepayEvent, type BankTransaction } from './sepay-event.ts';

const ACCOUNT = '0123456789';
const PRICE = 499_000;
/** Noon in Vietnam. */
const EXPIRES_AT = new Date('2026-03-01T05:00:00Z');
const order = (code: string, changes: Partial<PayableOrder> = {}): PayableOrder => ({
  id: `id of ${code}`,
  code,
  course_id: 'handbook',
  amount_vnd: PRICE,
  paid_vnd: 0,
  expires_at: EXPIRES_AT,
  cancelled: false,
  has_job: false,
  ...changes,
});

const OPEN = 'LDK7P2QX9MAB';
const SECOND = 'LDW4T6YHJ3CD';
const PARTLY = 'LD2468ACEGJK';
const PAID = 'LDPPPPPPPPPP';
const CANCELLED = 'LDCCCCCCCCCC';
const DIGITS = 'LD2345678923';
const ORDERS = [
  order(OPEN),
  order(SECOND),
  order(PARTLY, { paid_vnd: 400_000 }),
  order(PAID, { paid_vnd: PRICE, has_job: true }),
  order(CANCELLED, { cancelled: true }),
  order(DIGITS),
];

const EVENT = {
  id: 1,
  gateway: 'MBBank',
  transactionDate: '2026-03-01 11:30:00',
  accountNumber: ACCOUNT,
  subAccount: null,
  code: null,
  content: OPEN,
  transferType: 'in',
  transferAmount: PRICE,
  referenceCode: 'FT26060000001',
};

/** As the API places it: the codes found are looked up, and the match is made among the orders that exist. */
function place(transaction: BankTransaction, orders: readonly PayableOrder[]): Match {
  const codes = findCodes(transaction);
  return matchPayment(
    transaction,
    orders.filter(({ code }) => codes.includes(code)),
    ACCOUNT,
  );
}

function placeEvent(changes: Record<string, unknown>): string {
  const parsed = parseSepayEvent({ ...EVENT, ...changes });
  if (!parsed.transaction) return `not understood: ${parsed.wrongFields.join(', ')}`;
  const match = place(parsed.transaction, ORDERS);
  if (match.order) return `${match.paidInFull ? 'paid' : 'part of'} ${match.order.code}`;
  const proposed = ORDERS.find(({ id }) => id === match.proposedOrderId);
  return proposed ? `${match.reason}, perhaps ${proposed.code}` : match.reason;
}

const text = (content: string): Record<string, unknown> => ({ content });
const sum = (transferAmount: unknown, content = OPEN): Record<string, unknown> => ({ content, transferAmount });
const at = (transactionDate: string, content = OPEN): Record<string, unknown> => ({ content, transactionDate });

describe('the matching table', () => {
  test.each([
    // What banks put around a code.
    ['the bare code', text(OPEN), `paid ${OPEN}`],
    ['before words', text(`${OPEN} Thanh toan khoa hoc`), `paid ${OPEN}`],
    ['after words', text(`thanh toan don hang ${OPEN}`), `paid ${OPEN}`],
    ['MB', text(`MBVCB.3278907687.${OPEN}.CT tu 0011 NGUYEN VAN A toi ${ACCOUNT}`), `paid ${OPEN}`],
    ['Vietcombank', text(`MBVCB.16165985980.484491.${OPEN}.CT tu 0011 toi 0022 tai ACB-GD-484491`), `paid ${OPEN}`],
    ['ACB', text(`ACB;127606;${OPEN}-GD-252847-210926-18:47:33`), `paid ${OPEN}`],
    ['MoMo', text(`115140912829-${OPEN}-CHUYEN TIEN-OQCH0006Hkqg-MOMO115140912829MOMO`), `paid ${OPEN}`],
    ['VietinBank', text(`SEVQR ${OPEN}`), `paid ${OPEN}`],
    ['BIDV', text(`REM Tfr Ac:0011 O@L_080001_0_0_${OPEN} Tfr Ac: 0022`), `paid ${OPEN}`],
    ['with a trace number behind', text(`${OPEN} Trace 123456`), `paid ${OPEN}`],
    ['with a date glued to it', text(`${OPEN}210926`), `paid ${OPEN}`],
    ['glued to a name', text(`NGUYENVANA${OPEN}`), `paid ${OPEN}`],
    ['glued on both sides', text(`nap${OPEN}CTLNhanh247`), `paid ${OPEN}`],
    ['with diacritics around', text(`Chuyển khoản ${OPEN} học phí`), `paid ${OPEN}`],
    ['with a line break', text(`CK\n${OPEN}\r\n`), `paid ${OPEN}`],
    ['after another LD', text(`LD${OPEN}`), `paid ${OPEN}`],
    ['after a half code', text(`LDK7P2 ${OPEN}`), `paid ${OPEN}`],
    ['digits only, among digits', text(`0011 2233 ${DIGITS} 4455`), `paid ${DIGITS}`],
    // What banks do to a code.
    ['lower-cased', text(OPEN.toLowerCase()), `paid ${OPEN}`],
    ['in mixed case', text('LdK7p2Qx9mAb'), `paid ${OPEN}`],
    ['a space inside', text('LDK7P2 QX9MAB'), `paid ${OPEN}`],
    ['a space after the prefix', text('LD K7P2QX9MAB'), `paid ${OPEN}`],
    ['dashes', text('LD-K7P2-QX9M-AB'), `paid ${OPEN}`],
    ['underscores and dots', text('LD_K7P2.QX9M_AB'), `paid ${OPEN}`],
    ['broken over a line', text('LDK7P2Q\nX9MAB'), `paid ${OPEN}`],
    ['spaced out', text(OPEN.split('').join(' ')), `paid ${OPEN}`],
    ['with a zero-width space', text('LDK7P2\u200BQX9MAB'), `paid ${OPEN}`],
    ['written twice', text(`${OPEN} ${OPEN}`), `paid ${OPEN}`],
    ['cut by one symbol', text(OPEN.slice(0, -1)), 'no_code'],
    ['cut to the prefix', text('LD'), 'no_code'],
    ['without its prefix', text(OPEN.slice(2)), 'no_code'],
    ['one symbol wrong', text('LDK7P2QX9MAC'), 'unknown_code'],
    ['cut, and text slid into its place', text('LDK7P2QX9MA-CHUYEN TIEN'), 'unknown_code'],
    ['with a symbol no code has', text('LDK7P2QX9MA0'), 'no_code'],
    ['empty', text(''), 'no_code'],
    ['null', { content: null }, 'no_code'],
    ['words only', text('Nguyen Van A chuyen tien mua khoa hoc'), 'no_code'],
    ["somebody else's code", text('PAY202508060354408366 GD 464434-080625 10:55:18'), 'no_code'],
    ["SePay's test", text('giao dich thu nghiem'), 'no_code'],
    ['a code nobody has', text('LD9999999999'), 'unknown_code'],
    // SePay's own finding is a hint.
    ['only in the hint', { content: 'x', code: OPEN }, `paid ${OPEN}`],
    ['a hint cut short', { content: OPEN, code: OPEN.slice(0, 8) }, `paid ${OPEN}`],
    ['an empty hint', { content: OPEN, code: '' }, `paid ${OPEN}`],
    ['a hint that disagrees', { content: OPEN, code: SECOND }, 'several_codes'],
    // Several.
    ['two orders', text(`${OPEN} ${SECOND}`), 'several_codes'],
    ['two orders, glued', text(OPEN + SECOND), 'several_codes'],
    ['an open and a paid order', text(`${OPEN} ${PAID}`), 'several_codes'],
    ['an order and a code nobody has', text(`${OPEN} LD9999999999`), `paid ${OPEN}`],
    // Amounts.
    ['one dong more', sum(PRICE + 1), `paid ${OPEN}`],
    ['twice the price', sum(2 * PRICE), `paid ${OPEN}`],
    ['one dong less', sum(PRICE - 1), `part of ${OPEN}`],
    ['one dong', sum(1), `part of ${OPEN}`],
    ['as text', sum('499000'), `paid ${OPEN}`],
    ['as text with decimals', sum('499000.00'), `paid ${OPEN}`],
    ['nothing', sum(0), 'not_positive'],
    ['negative', sum(-PRICE), 'not understood: transferAmount'],
    ['half a dong', sum(498_999.5), 'not understood: transferAmount'],
    ['beyond all banks', sum(1e13), 'not understood: transferAmount'],
    ['the rest', sum(99_000, PARTLY), `paid ${PARTLY}`],
    ['a part of the rest', sum(98_999, PARTLY), `part of ${PARTLY}`],
    ['more than the rest', sum(PRICE, PARTLY), `paid ${PARTLY}`],
    ['a second time', text(PAID), `already_paid, perhaps ${PAID}`],
    ['after cancellation', text(CANCELLED), `cancelled, perhaps ${CANCELLED}`],
    // Time: the bank's, in Vietnam.
    ['in the last second', at('2026-03-01 12:00:00'), `paid ${OPEN}`],
    ['a second late', at('2026-03-01 12:00:01'), `expired, perhaps ${OPEN}`],
    ['that would be in time in London', at('2026-03-01 04:59:59'), `paid ${OPEN}`],
    ['a day late', at('2026-03-02 11:59:59'), `expired, perhaps ${OPEN}`],
    ['a part, late', { ...at('2026-03-01 12:00:01'), transferAmount: 1 }, `expired, perhaps ${OPEN}`],
    ['late and paid already', at('2026-03-02 00:00:00', PAID), `already_paid, perhaps ${PAID}`],
    ['late and cancelled', at('2026-03-02 00:00:00', CANCELLED), `cancelled, perhaps ${CANCELLED}`],
    ['on a day no calendar has', at('2026-02-30 12:00:00'), 'not understood: transactionDate'],
    ['with another form of time', at('01/03/2026 12:00'), 'not understood: transactionDate'],
    // Direction and account.
    ['outgoing', { transferType: 'out' }, 'outgoing'],
    ['outgoing to another account', { transferType: 'out', accountNumber: '999' }, 'outgoing'],
    ['neither in nor out', { transferType: 'IN' }, 'not understood: transferType'],
    ['another account', { accountNumber: '9999999999' }, 'wrong_account'],
    ['an account that only begins like ours', { accountNumber: `${ACCOUNT}0` }, 'wrong_account'],
    ['our account as number', { accountNumber: 123_456_789 }, 'wrong_account'],
    ['our account with spaces', { accountNumber: '0123 456 789' }, `paid ${OPEN}`],
    ['a virtual account of ours', { accountNumber: 'MAIN', subAccount: ACCOUNT }, `paid ${OPEN}`],
    ['another account, nothing and no code', { accountNumber: '9', transferAmount: 0, content: '' }, 'wrong_account'],
  ])('%s', (_, changes, where) => {
    expect(placeEvent(changes)).toBe(where);
  });
});

/** What stands around and inside a code when a bank has passed it on. */
const noise = fc.oneof(
  fc.string({ maxLength: 60 }),
  fc.string({ unit: 'grapheme', maxLength: 30 }),
  fc.stringMatching(/^[A-Z0-9]{0,40}$/),
  fc.constantFrom(
    ' ',
    '-',
    '.',
    'LD',
    'LDLD',
    'MBVCB.3278907687.',
    'CT tu 0011 toi 0022 tai ',
    '-CHUYEN TIEN-MOMO115140',
  ),
);
const damage = fc.oneof(
  fc.record({ kind: fc.constant('whole' as const), at: fc.nat(12) }),
  fc.record({ kind: fc.constant('cut' as const), at: fc.nat(12) }),
  fc.record({ kind: fc.constant('beheaded' as const), at: fc.nat(12) }),
  fc.record({ kind: fc.constant('spaced' as const), at: fc.nat(12) }),
  fc.record({ kind: fc.constant('lowered' as const), at: fc.nat(12) }),
  fc.record({
    kind: fc.constant('mistyped' as const),
    at: fc.integer({ min: 2, max: 11 }),
    symbol: fc.stringMatching(/^[A-Z0-9]$/),
  }),
);
type Damage = typeof damage extends fc.Arbitrary<infer T> ? T : never;

function damaged(code: string, how: Damage): string {
  if (how.kind === 'cut') return code.slice(0, how.at);
  if (how.kind === 'beheaded') return code.slice(how.at);
  if (how.kind === 'spaced') return `${code.slice(0, how.at)} ${code.slice(how.at)}`;
  if (how.kind === 'lowered') return code.toLowerCase();
  if (how.kind === 'mistyped') return code.slice(0, how.at) + how.symbol + code.slice(how.at + 1);
  return code;
}

test("random banks' noise around a code never places money on a wrong order", () => {
  const orders = Array.from({ length: 500 }, () => order(makeOrderCode()));
  const parsed = parseSepayEvent(EVENT);
  if (!parsed.transaction) throw new Error('not a transaction');
  const { transaction } = parsed;
  let placed = 0;
  fc.assert(
    fc.property(fc.nat(orders.length - 1), noise, damage, noise, fc.boolean(), (index, before, how, after, hinted) => {
      const meant = orders[index]?.code ?? '';
      const content = before + damaged(meant, how) + after;
      const code = hinted ? damaged(meant, how) : '';
      const match = place({ ...transaction, content, code }, orders);
      if (match.order) placed += 1;
      // To the order that was meant, or to nobody; and whoever wrote the code whole is not sent away.
      if (match.order) expect(match.order.code).toBe(meant);
      else expect(['whole', 'lowered', 'spaced']).not.toContain(how.kind);
    }),
    { numRuns: 20_000 },
  );
  expect(placed).toBeGreaterThan(5_000);
});
