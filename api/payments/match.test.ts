import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { PayableOrder } from '../../sql/payments.ts';
import { makeOrderCode } from '../orders/order-code.ts';
import { findCodes, matchPayment } from './match.ts';

const CODE = 'LDK7P2QX9MAB';
const OTHER = 'LD2222222222';
const ACCOUNT = '0123456789';

describe('findCodes', () => {
  test.each([
    [CODE, [CODE]],
    ['ldk7p2qx9mab', [CODE]],
    [`${CODE} Thanh toan khoa hoc`, [CODE]],
    ['LDK7P 2QX9MAB', [CODE]],
    ['LD-K7P2-QX9M-AB', [CODE]],
    [`MBVCB.16165985980.484491.${CODE}.CT tu 0011 toi 0022 tai ACB-GD-484491-210926-18:40:29`, [CODE]],
    [`115140912829-${CODE}-CHUYEN TIEN-OQCH0006Hkqg-MOMO115140912829MOMO`, [CODE]],
    [`nap${CODE.toLowerCase()}-CTLNhanh`, [CODE]],
    [`NGUYEN VAN A chuyen tien ${CODE}-Ma GD 0123456`, [CODE]],
    [`${CODE} ${CODE}`, [CODE]],
    [`${CODE}${OTHER}`, [CODE, OTHER]],
    [`LD${CODE}`, [CODE]],
    ['LDK7P2QX9MA', []],
    ['LDK7P2QX9MAI', []],
    ['ACB;127606;26090145506810-GD-252847-210926-18:47:33', []],
    ['', []],
  ])('finds in %j: %j', (content, codes) => {
    expect(findCodes({ content, code: '' })).toEqual(codes);
  });

  test("adds SePay's own finding, and ignores a truncated one", () => {
    expect(findCodes({ content: 'nothing', code: CODE.toLowerCase() })).toEqual([CODE]);
    expect(findCodes({ content: CODE, code: CODE.slice(0, 9) })).toEqual([CODE]);
    expect(findCodes({ content: CODE, code: OTHER })).toEqual([CODE, OTHER]);
  });

  test('finds a code whatever separators a bank puts into it', () => {
    const separator = fc.constantFrom('', ' ', '-', '.', '_', '  ', '/');
    fc.assert(
      fc.property(fc.array(separator, { minLength: 12, maxLength: 12 }), (separators) => {
        const code = makeOrderCode();
        const content = `CT ${code
          .split('')
          .map((symbol, at) => symbol + separators[at])
          .join('')}. toi`;
        expect(findCodes({ content, code: '' })).toContain(code);
      }),
    );
  });

  test('stays short in a text that is all codes', () => {
    const content = Array.from({ length: 1_000 }, makeOrderCode).join(' ');
    expect(findCodes({ content, code: '' })).toHaveLength(50);
  });
});

const order: PayableOrder = {
  id: 'order-1',
  code: CODE,
  course_id: 'handbook',
  amount_vnd: 499_000,
  paid_vnd: 0,
  expires_at: new Date('2026-01-01T01:00:00Z'),
  cancelled: false,
  has_job: false,
};
const transfer = {
  direction: 'in' as const,
  amountVnd: 499_000,
  accountNumber: ACCOUNT,
  subAccount: '',
  content: CODE,
  code: '',
  transferredAt: new Date('2026-01-01T00:30:00Z'),
};

describe('matchPayment', () => {
  test.each([
    ['the whole amount', transfer, [order], true],
    ['more than the amount', { ...transfer, amountVnd: 500_000 }, [order], true],
    ['too little', { ...transfer, amountVnd: 498_999 }, [order], false],
    ['the rest', { ...transfer, amountVnd: 1 }, [{ ...order, paid_vnd: 498_999 }], true],
    ['in the last second', { ...transfer, transferredAt: order.expires_at }, [order], true],
    ['to the virtual account', { ...transfer, accountNumber: 'MAIN', subAccount: ACCOUNT }, [order], true],
  ] as const)('applies %s', (_, transaction, candidates, paidInFull) => {
    expect(matchPayment(transaction, candidates, ACCOUNT)).toEqual({ order: candidates[0], paidInFull });
  });

  test.each([
    ['outgoing', { direction: 'out' as const }, [order]],
    ['wrong_account', { accountNumber: '999' }, [order]],
    ['not_positive', { amountVnd: 0 }, [order]],
    ['no_code', { content: 'chuyen tien' }, []],
    ['unknown_code', {}, []],
    ['several_codes', { content: `${CODE} ${OTHER}` }, [order, { ...order, id: 'order-2', code: OTHER }]],
  ] as const)('leaves %s to an operator', (reason, changes, candidates) => {
    expect(matchPayment({ ...transfer, ...changes }, candidates, ACCOUNT)).toEqual({ reason });
  });

  test.each([
    ['cancelled', {}, { cancelled: true, has_job: true }],
    ['already_paid', {}, { has_job: true }],
    ['already_paid', { transferredAt: new Date('2027-01-01T00:00:00Z') }, { has_job: true }],
    ['expired', { transferredAt: new Date('2026-01-01T01:00:01Z') }, {}],
  ] as const)('leaves %s to an operator and proposes the order', (reason, changes, orderChanges) => {
    const candidates = [{ ...order, ...orderChanges }];
    expect(matchPayment({ ...transfer, ...changes }, candidates, ACCOUNT)).toEqual({
      reason,
      proposedOrderId: order.id,
    });
  });

  test('two codes of which one is an order are that order', () => {
    const transaction = { ...transfer, content: `${CODE} ${OTHER}` };
    expect(matchPayment(transaction, [order], ACCOUNT)).toEqual({ order, paidInFull: true });
  });
});
