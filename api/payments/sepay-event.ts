/** A SePay webhook as a bank transaction: https://developer.sepay.vn/en/sepay-webhooks/tich-hop-webhook */
import { z } from 'zod';

export type BankTransaction = {
  /** SePay's id of the transaction; the same in every repeat. */
  externalId: string;
  direction: 'in' | 'out';
  amountVnd: number;
  accountNumber: string;
  /** A virtual account of `accountNumber`, where the transfer went to one. */
  subAccount: string;
  /** The text of the transfer, as the bank delivers it. */
  content: string;
  /** The code SePay believes to have found. A hint: a wrong setting there truncates it. */
  code: string;
  transferredAt: Date;
  /** The whole event as JSON that Postgres can hold. */
  body: string;
};

const VIETNAM_OFFSET_MS = 7 * 3_600_000;
const ACCOUNT_MAX_CHARS = 64;

/** Postgres text holds neither NUL nor half of a surrogate pair; money must not be lost over either. */
const storableText = (text: string): string => text.replaceAll('\0', '\uFFFD').toWellFormed();

/** The same for JSON.stringify's output, where these two appear as escapes only. */
const storableJson = (value: unknown): string =>
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

const wholeDong = z.union([
  z.int().min(0),
  z
    .string()
    .trim()
    .regex(/^\d{1,15}(\.0+)?$/)
    .transform(Number),
]);
const digits = z.union([
  z.int().min(0),
  z
    .string()
    .trim()
    .regex(/^\d{1,19}$/),
]);
const text = z
  .string()
  .nullish()
  .transform((value) => storableText(value ?? ''));
const account = z
  .union([z.string(), z.int().min(0)])
  .transform((value) => storableText(String(value)).replaceAll(/\s/g, ''))
  .pipe(z.string().max(ACCOUNT_MAX_CHARS));

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
      externalId: id,
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
