import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { makeOrderCode } from './order-code.ts';
import { qrPng, qrSvg, vietQrPayload } from './vietqr.ts';

const BANK = { bin: '970422', accountNumber: '0123456789', accountName: 'LADING TEST' };

/** CRC-16/CCITT-FALSE, bit by bit. */
function crc16(text: string): string {
  let crc = 0xffff;
  for (const byte of Buffer.from(text, 'latin1')) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit += 1) crc = ((crc << 1) ^ (crc & 0x8000 ? 0x1021 : 0)) & 0xffff;
  }
  return crc.toString(16).toUpperCase().padStart(4, '0');
}

/** The fields of one level: two digits of id, two of length, the value. */
function fieldsOf(payload: string): Record<string, string> {
  const fields: Record<string, string> = {};
  for (let at = 0; at < payload.length;) {
    const length = Number(payload.slice(at + 2, at + 4));
    fields[payload.slice(at, at + 2)] = payload.slice(at + 4, at + 4 + length);
    at += 4 + length;
  }
  return fields;
}

describe('vietQrPayload', () => {
  test('is the payload that banks read', () => {
    expect(vietQrPayload(BANK, 499_000, 'UDK7P2QX9M')).toBe(
      '00020101021238540010A00000072701240006970422011001234567890208QRIBFTTA530370454064990005802VN62140810UDK7P2QX9M63047FDC',
    );
  });

  test('holds account, amount and code, and a checksum that fits, for every order', () => {
    const anyAccount = fc.stringMatching(/^[A-Za-z0-9]{1,19}$/);
    fc.assert(
      fc.property(anyAccount, fc.integer({ min: 1, max: 500_000_000 }), (accountNumber, amountVnd) => {
        const code = makeOrderCode();
        const payload = vietQrPayload({ ...BANK, accountNumber }, amountVnd, code);
        const fields = fieldsOf(payload);
        const account = fieldsOf(fieldsOf(fields['38'] ?? '')['01'] ?? '');
        expect([fields['54'], fieldsOf(fields['62'] ?? '')['08']]).toEqual([String(amountVnd), code]);
        expect(account).toEqual({ '00': BANK.bin, '01': accountNumber });
        expect(payload.slice(-4)).toBe(crc16(payload.slice(0, -4)));
      }),
    );
  });

  test.each([
    [{ ...BANK, bin: '97042' }, 499_000, 'LD23456789AB'],
    [{ ...BANK, accountNumber: '' }, 499_000, 'LD23456789AB'],
    [{ ...BANK, accountNumber: '0123 456' }, 499_000, 'LD23456789AB'],
    [BANK, 0, 'LD23456789AB'],
    [BANK, -1, 'LD23456789AB'],
    [BANK, 499.5, 'LD23456789AB'],
    [BANK, Number.NaN, 'LD23456789AB'],
    [BANK, 1e14, 'LD23456789AB'],
    [BANK, 499_000, ''],
    [BANK, 499_000, 'Thanh toán'],
    [BANK, 499_000, 'LD-23456789AB'],
    [BANK, 499_000, 'A'.repeat(20)],
  ])('refuses %j, %j, %j', (bank, amountVnd, content) => {
    expect(() => vietQrPayload(bank, amountVnd, content)).toThrow(RangeError);
  });
});

test('the pictures are an SVG and a PNG', async () => {
  const payload = vietQrPayload(BANK, 499_000, 'LD23456789AB');
  expect(await qrSvg(payload)).toMatch(/^<svg [^]*<\/svg>\s*$/);
  expect((await qrPng(payload)).subarray(0, 8)).toEqual(Buffer.from('89504e470d0a1a0a', 'hex'));
});
