/** SePay's list of transactions (v2): https://developer.sepay.vn/en/sepay-api/v2/giao-dich/danh-sach */
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { isNestedTooDeep } from './nesting.ts';
import {
  account,
  parseListTime,
  reference,
  storableJson,
  text,
  wholeDong,
  type BankTransaction,
} from './sepay-event.ts';

export type SepayApi = { url: string; token: string };

export const PAGE_ROWS_MAX = 100;
const ANSWER_LIMIT_MS = 30_000;
const ANSWER_MAX_BYTES = 1024 * 1024;
const TRIES_MAX = 4;
const RETRY_AFTER_MAX_SECONDS = 60;

const rowSchema = z.object({
  id: z.string().min(1).max(100),
  transaction_date: z.string().transform((value, context) => {
    const at = parseListTime(value.trim());
    if (at === undefined) context.addIssue({ code: 'custom', message: 'is not a time' });
    return at ?? new Date(Number.NaN);
  }),
  account_number: account.pipe(z.string().min(1)),
  va: account.nullish().transform((value) => value ?? ''),
  transfer_type: z.enum(['in', 'out']),
  amount_in: wholeDong,
  amount_out: wholeDong,
  transaction_content: text,
  reference_number: reference,
  code: text,
});

/** The id of a row, whatever else is wrong with it: the list goes on behind it. */
export const rowId = (json: unknown): string | undefined => rowSchema.pick({ id: true }).safeParse(json).data?.id;

/** What a row says of its transfer, as text: SePay counts other things in it, and a row is one for all that. */
export function whatRowSays(json: unknown): string {
  if (typeof json !== 'object' || json === null) return JSON.stringify(json);
  return JSON.stringify(Object.keys(rowSchema.shape).map((key) => (json as Record<string, unknown>)[key]));
}

/** A row of the list, or the names of what is wrong with it. */
export function parseListRow(
  json: unknown,
): { transaction: BankTransaction; wrongFields?: never } | { transaction?: never; wrongFields: string[] } {
  const body = storableJson(json);
  if (isNestedTooDeep(body)) return { wrongFields: ['nested too deep'] };
  const parsed = rowSchema.safeParse(json);
  if (!parsed.success) return { wrongFields: parsed.error.issues.map((issue) => issue.path.map(String).join('.')) };
  const row = parsed.data;
  return {
    transaction: {
      source: 'sepay_api',
      externalId: row.id,
      direction: row.transfer_type,
      amountVnd: row.transfer_type === 'in' ? row.amount_in : row.amount_out,
      accountNumber: row.account_number,
      subAccount: row.va,
      content: row.transaction_content,
      code: row.code,
      reference: row.reference_number,
      transferredAt: row.transaction_date,
      body,
    },
  };
}

const pageSchema = z.object({
  data: z.array(z.unknown()).max(PAGE_ROWS_MAX),
  meta: z.object({ pagination: z.object({ has_more: z.boolean() }) }),
});

export type Page = { rows: unknown[]; hasMore: boolean };

async function readBounded(response: Response): Promise<string> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of response.body ?? []) {
    bytes += part.length;
    if (bytes > ANSWER_MAX_BYTES) throw new Error(`SePay's list answered more than ${ANSWER_MAX_BYTES} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

/**
 * One page from `from` (Vietnam's time, "YYYY-MM-DD HH:mm:ss"), the oldest first, behind the transaction `sinceId`.
 * Waits as long as SePay asks for when it is asked too often. Throws when the list cannot be had.
 */
export async function fetchPage(
  api: SepayApi,
  { from, sinceId }: { from: string; sinceId: string | undefined },
  stop: AbortSignal,
): Promise<Page> {
  const url = new URL('/v2/transactions', api.url);
  url.search = new URLSearchParams({
    transaction_date_from: from,
    transaction_date_sort: 'asc',
    per_page: String(PAGE_ROWS_MAX),
    ...(sinceId !== undefined && { since_id: sinceId }),
  }).toString();
  for (let tries = 1; ; tries += 1) {
    const response = await fetch(url, {
      headers: { Authorization: `Bearer ${api.token}`, Accept: 'application/json' },
      redirect: 'error',
      signal: AbortSignal.any([stop, AbortSignal.timeout(ANSWER_LIMIT_MS)]),
    });
    const answer = await readBounded(response);
    if (response.status === 429 && tries < TRIES_MAX) {
      const seconds = Number(response.headers.get('retry-after') ?? '1');
      await sleep(Math.min(Number.isFinite(seconds) ? seconds : 1, RETRY_AFTER_MAX_SECONDS) * 1_000, undefined, {
        signal: stop,
      });
      continue;
    }
    if (response.status !== 200) throw new Error(`SePay's list answered ${response.status}`);
    const page = pageSchema.parse(JSON.parse(answer));
    return { rows: page.data, hasMore: page.meta.pagination.has_more };
  }
}
