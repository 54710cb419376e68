import { describe, expect, test } from '@jest/globals';
import { parseSepayEvent, parseVietnamTime } from './sepay-event.ts';

const EVENT = {
  id: 92_704,
  gateway: 'MBBank',
  transactionDate: '2026-01-01 07:00:00',
  accountNumber: '0123456789',
  subAccount: null,
  code: null,
  content: 'LD23456789AB',
  transferType: 'in',
  description: 'BankAPINotify LD23456789AB',
  transferAmount: 499_000,
  accumulated: 0,
  referenceCode: 'FT26001000001',
};

describe('parseSepayEvent', () => {
  test('reads the documented event', () => {
    expect(parseSepayEvent(EVENT).transaction).toEqual({
      source: 'sepay_webhook',
      externalId: '92704',
      reference: 'FT26001000001',
      direction: 'in',
      amountVnd: 499_000,
      accountNumber: '0123456789',
      subAccount: '',
      content: 'LD23456789AB',
      code: '',
      transferredAt: new Date('2026-01-01T00:00:00Z'),
      body: JSON.stringify(EVENT),
    });
  });

  test.each([
    [{ transferAmount: '499000' }, { amountVnd: 499_000 }],
    [{ transferAmount: ' 499000.00 ' }, { amountVnd: 499_000 }],
    [{ transferAmount: 0 }, { amountVnd: 0 }],
    [{ id: '092704' }, { externalId: '92704' }],
    [{ accountNumber: 123_456 }, { accountNumber: '123456' }],
    [{ accountNumber: '0123 456 789' }, { accountNumber: '0123456789' }],
    [{ subAccount: 'VA 1' }, { subAccount: 'VA1' }],
    [
      { content: null, code: undefined },
      { content: '', code: '' },
    ],
    [{ code: 'LD23456789AB' }, { code: 'LD23456789AB' }],
    [{ transferType: 'out' }, { direction: 'out' }],
    [{ content: 'a\0b\uD800c' }, { content: 'a\uFFFDb\uFFFDc' }],
  ])('reads %j as %j', (changes, read) => {
    expect(parseSepayEvent({ ...EVENT, ...changes }).transaction).toMatchObject(read);
  });

  test('keeps fields it does not know, in a form the database takes', () => {
    const { transaction } = parseSepayEvent({ ...EVENT, 'n\0ew': ['\uDC00', 'back\\slash \\u0000', '😀'] });
    expect(JSON.parse(transaction?.body ?? '')).toMatchObject({
      'n\uFFFDew': ['\uFFFD', 'back\\slash \\u0000', '😀'],
    });
  });

  test.each([
    [{ id: undefined }, 'id'],
    [{ id: 'abc' }, 'id'],
    [{ id: 1.5 }, 'id'],
    [{ id: -1 }, 'id'],
    [{ transferAmount: undefined }, 'transferAmount'],
    [{ transferAmount: -1 }, 'transferAmount'],
    [{ transferAmount: 499.5 }, 'transferAmount'],
    [{ transferAmount: '4.99e5' }, 'transferAmount'],
    [{ transferAmount: '499000.50' }, 'transferAmount'],
    [{ transferAmount: 1e300 }, 'transferAmount'],
    [{ transferAmount: true }, 'transferAmount'],
    [{ transferType: 'IN' }, 'transferType'],
    [{ accountNumber: '' }, 'accountNumber'],
    [{ accountNumber: null }, 'accountNumber'],
    [{ accountNumber: '1'.repeat(65) }, 'accountNumber'],
    [{ transactionDate: '2026-02-30 07:00:00' }, 'transactionDate'],
    [{ content: { text: 'x' } }, 'content'],
  ])('does not read %j: %s', (changes, field) => {
    expect(parseSepayEvent({ ...EVENT, ...changes })).toEqual({ wrongFields: [field] });
  });

  test.each([null, [], 'text', 7, {}])('does not read %j', (json) => {
    expect(parseSepayEvent(json).transaction).toBeUndefined();
  });
});

describe('parseVietnamTime', () => {
  test.each([
    ['2026-01-01 07:00:00', '2026-01-01T00:00:00.000Z'],
    ['2026-01-01 06:59:59', '2025-12-31T23:59:59.000Z'],
    ['2028-02-29 12:00:00', '2028-02-29T05:00:00.000Z'],
  ])('reads %j as %s, wherever this machine stands', (text, instant) => {
    expect(parseVietnamTime(text)?.toISOString()).toBe(instant);
  });

  test.each([
    '2026-02-29 12:00:00',
    '2026-04-31 12:00:00',
    '2026-13-01 12:00:00',
    '2026-00-10 12:00:00',
    '2026-01-01 24:00:00',
    '2026-01-01 12:60:00',
    '2026-01-01T12:00:00',
    '2026-01-01 12:00',
    '01/01/2026 12:00:00',
    '',
  ])('refuses %j', (text) => {
    expect(parseVietnamTime(text)).toBeUndefined();
  });
});
