/** A SePay webhook as a bank transaction: https://developer.sepay.vn/en/sepay-webhooks/tich-hop-webhook */
import { storableText } from '../../job-image/contract/storable-text.ts';
import { z } from 'zod';
import type { EventSource, Transfer } from '../../sql/payments.ts';

export type BankTransaction = Transfer & {
  source: EventSource;
  /** SePay's id of the transaction; the same in every repeat. */
  externalId: string;
  /** A virtual account of `accountNumber`, where the transfer went to one. */
  subAccount: string;
  /** The text of the transfer, as the bank delivers it. */
  content: string;
  /** The code SePay believes to have found. A hint: a wrong setting there truncates it. */
  code: string;
  /** The whole event as JSON that Postgres can hold. */
  body: string;
};

const VIETNAM_OFFSET_MS = 7 * 3_600_000;
const ACCOUNT_MAX_CHARS = 64;
const REFERENCE_MAX_CHARS = 100;
/** A billion times a thousand: no transfer comes near, and nine thousand of them can be added up below 2^53. */
export const AMOUNT_MAX_VND = 1e12;

/** The same for JSON.stringify's output, where these two appear as escapes only. */
export const storableJson = (value: unknown): string =>
  JSON.stringify(value).replaceAll(/\\(?:u0000|ud[89a-f][0-9a-f]{2}|.)/g, (escape) =>
    escape === '\\u0000' || escape.startsWith('\\ud') ? '\uFFFD' : escape,
  );

/** "2026-01-31 07:00:00", Vietnam's time without saying so. Undefined for a day that no calendar has. */
export function parseVietnamTime(text: string): Date | undefined {
  const match = /^(20\d\d-\d\d-\d\d) (\d\d:\d\d:\d\d)$/.exec(text);
  if (!match) return undefined;
  const at = new Date(`${match[1]}T${match[2]}+07:00`);
  if (Number.isNaN(at.getTime())) return undefined;
  const readBack = new Date(at.getTime() + VIETNAM_OFFSET_MS).toISOString();
  return readBack.startsWith(`${match[1]}T${match[2]}`) ? at : undefined;
}

/** As SePay's list has it: the same, or with its offset. */
export function parseListTime(text: string): Date | undefined {
  const match = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)\+07:00$/.exec(text);
  return parseVietnamTime(match ? `${match[1]} ${match[2]}` : text);
}

export const wholeDong = z
  .union([
    z.int(),
    z
      .string()
      .trim()
      .regex(/^\d{1,15}(\.0+)?$/)
      .transform(Number),
  ])
  .pipe(z.int().min(0).max(AMOUNT_MAX_VND));
const digits = z.union([
  z.int().min(0),
  z
    .string()
    .trim()
    .regex(/^\d{1,19}$/),
]);
export const text = z
  .string()
  .nullish()
  .transform((value) => storableText(value ?? ''));
export const account = z
  .union([z.string(), z.int().min(0)])
  .transform((value) => storableText(String(value)).replaceAll(/\s/g, ''))
  .pipe(z.string().max(ACCOUNT_MAX_CHARS));

/** The bank's number, cut: it only serves to tell transfers apart. */
export const reference = z
  .union([z.string(), z.int()])
  .nullish()
  .transform((value) =>
    storableText(String(value ?? ''))
      .trim()
      .slice(0, REFERENCE_MAX_CHARS),
  );

const schema = z.object({
  id: digits.transform((id) => BigInt(id).toString()),
  transactionDate: z.string().transform((value, context) => {
    const at = parseVietnamTime(value.trim());
    if (at === undefined) context.addIssue({ code: 'custom', message: 'is not a time' });
    return at ?? new Date(Number.NaN);
  }),
  accountNumber: account.pipe(z.string().min(1)),
  subAccount: account.nullish().transform((value) => value ?? ''),
  code: text,
  content: text,
  transferType: z.enum(['in', 'out']),
  transferAmount: wholeDong,
  referenceCode: reference,
});

/** Undefined, with the names of the wrong fields, for JSON that is no transaction. Unknown fields are kept in `body`. */
export function parseSepayEvent(
  json: unknown,
): { transaction: BankTransaction } | { transaction?: never; wrongFields: string[] } {
  const parsed = schema.safeParse(json);
  if (!parsed.success) return { wrongFields: parsed.error.issues.map((issue) => issue.path.map(String).join('.')) };
  const { id, transactionDate, accountNumber, subAccount, code, content, transferType, transferAmount } = parsed.data;
  return {
    transaction: {
      source: 'sepay_webhook',
      externalId: id,
      reference: parsed.data.referenceCode,
      direction: transferType,
      amountVnd: transferAmount,
      accountNumber,
      subAccount,
      content,
      code,
      transferredAt: transactionDate,
      body: storableJson(json),
    },
  };
}
