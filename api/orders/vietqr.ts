/** VietQR: NAPAS' QR code for a bank transfer (EMVCo merchant-presented mode), and its pictures. */
import { toBuffer, toString } from 'qrcode';
import { Banks, QRPay } from 'vietnam-qr-pay';

export type BankAccount = {
  /** Six digits that name the bank. */
  bin: string;
  accountNumber: string;
  accountName: string;
};

/** The format allows 25, partner banks only 19. */
const CONTENT_MAX_CHARS = 19;
const AMOUNT_MAX_DIGITS = 13;
const PNG_WIDTH_PX = 480;

/**
 * The text of the code. vietnam-qr-pay checks nothing and counts characters where the format counts bytes, so that
 * text with diacritics gives a code banks cannot read: everything is checked here. Throws RangeError.
 */
export function vietQrPayload(bank: BankAccount, amountVnd: number, content: string): string {
  if (!/^\d{6}$/.test(bank.bin)) throw new RangeError(`bank BIN ${bank.bin}`);
  if (!/^[A-Za-z0-9]{1,19}$/.test(bank.accountNumber)) throw new RangeError(`bank account ${bank.accountNumber}`);
  if (!Number.isSafeInteger(amountVnd) || amountVnd <= 0 || String(amountVnd).length > AMOUNT_MAX_DIGITS)
    throw new RangeError(`amount ${amountVnd}`);
  if (!/^[A-Za-z0-9 ]+$/.test(content) || content.length > CONTENT_MAX_CHARS)
    throw new RangeError(`transfer content ${content}`);
  return QRPay.initVietQR({
    bankBin: bank.bin,
    bankNumber: bank.accountNumber,
    amount: String(amountVnd),
    purpose: content,
  }).build();
}

/** What people call the bank with this number; the number itself where nobody told us. */
export const bankName = (bin: string): string => Banks.find((bank) => bank.bin === bin)?.shortName ?? bin;

export const qrSvg = (payload: string): Promise<string> =>
  toString(payload, { type: 'svg', errorCorrectionLevel: 'M' });

export const qrPng = (payload: string): Promise<Buffer> =>
  toBuffer(payload, { type: 'png', errorCorrectionLevel: 'M', width: PNG_WIDTH_PX });
