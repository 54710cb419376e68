import { z } from 'zod';
import { ledgerTotals, listInbox } from '../../sql/inbox.ts';
import { decide, itemOf, type Wish } from '../payments/decide.ts';
import { Problem } from '../problem.ts';
import { cursorOf, openCursor } from './cursor.ts';
import { instant, iso, isoOrNull, nextCursor, orderCode, PAGE_DEFAULT, paging, words } from './fields.ts';
import { operation } from '../contract/operation.ts';

const RAW_SHOWN_CHARS = 16 * 1024;
const INBOX_ID = /^(?:(?:payment|event):\d{1,15}|order:[A-Z0-9]{12})$/;
const PAYMENT_ID = /^payment:\d{1,15}$/;

const inboxItem = z.strictObject({
  id: z.string(),
  since: instant,
  reason: z.string(),
  amountVnd: z.int().nullable(),
  accountNumber: z.string().nullable(),
  content: z.string().nullable(),
  transferredAt: instant.nullable(),
  proposedOrderCode: z.string().nullable(),
  mayRepeat: z.string().nullable().describe('The payment that it may tell of once more.'),
  wrongFields: z.array(z.string()).nullable(),
  raw: z.string().nullable().describe('An event that was not understood, as far as it is text.'),
});

export const showInbox = operation({
  method: 'get',
  path: '/v1/payments/inbox',
  summary: 'Money and events that wait for a decision, the oldest first',
  roles: ['operator', 'auditor'],
  isRecorded: true,
  query: z.strictObject(paging),
  answer: z.strictObject({ items: z.array(inboxItem), nextCursor }),
  problems: ['cursor_invalid'],
  act: async ({ pool, query }) => {
    const limit = query.limit ?? PAGE_DEFAULT;
    const after = openCursor(query.cursor, INBOX_ID);
    const page = await listInbox(pool, after && { since: new Date(after.micros / 1_000), id: after.id }, limit);
    const last = page.length === limit ? page.at(-1) : undefined;
    return {
      items: page.map((item) => ({
        id: item.id,
        since: iso(item.since),
        reason: item.reason,
        amountVnd: item.amount_vnd,
        accountNumber: item.account_number,
        content: item.content,
        transferredAt: isoOrNull(item.transferred_at),
        proposedOrderCode: item.proposed_order_code,
        mayRepeat: item.may_repeat === null ? null : `payment:${item.may_repeat}`,
        wrongFields: item.wrong_fields,
        raw: item.raw?.toString('utf8').slice(0, RAW_SHOWN_CHARS) ?? null,
      })),
      nextCursor: last ? cursorOf(last.since.getTime() * 1_000, last.id) : null,
    };
  },
});

const decision = z.strictObject({
  action: z.enum(['assign', 'refund-recorded', 'ignore', 'same-transfer']),
  orderCode: orderCode.optional().describe('Where money is assigned to; needed for assign and for nothing else.'),
  sameAs: z
    .string()
    .regex(PAYMENT_ID)
    .optional()
    .describe('The payment that it tells of once more; needed for same-transfer and for nothing else.'),
  amountVnd: z
    .int()
    .min(1)
    .max(Number.MAX_SAFE_INTEGER)
    .optional()
    .describe('What waits, as the inbox showed it; needed for order:… and for nothing else.'),
  reason: words,
});

/** Throws `request_invalid` where a field is missing, or there for nothing. */
function wishOf(body: z.output<typeof decision>, isLeftOver: boolean): Wish {
  const { action, orderCode: code, sameAs, amountVnd, reason } = body;
  const wrong = [
    ...((action === 'assign') === (code !== undefined) ? [] : [['orderCode', 'assign']]),
    ...((action === 'same-transfer') === (sameAs !== undefined) ? [] : [['sameAs', 'same-transfer']]),
    ...(isLeftOver === (amountVnd !== undefined) ? [] : [['amountVnd', 'order:…']]),
  ].map(([field = '', what = '']) => ({ field, message: `is needed for ${what} and for nothing else` }));
  if (wrong.length > 0) throw new Problem('request_invalid', undefined, { errors: wrong });
  if (action === 'assign') return { action, orderCode: code ?? '', amountVnd, reason };
  if (action === 'same-transfer') return { action, sameAs: Number(sameAs?.split(':')[1]), amountVnd, reason };
  return { action, amountVnd, reason };
}

export const decideInbox = operation({
  method: 'post',
  path: '/v1/payments/inbox/{item}/decision',
  summary: 'Decide, once, what becomes of something in the inbox',
  roles: ['operator'],
  params: z.strictObject({ item: z.string().regex(INBOX_ID) }),
  body: decision,
  answer: z.strictObject({
    decided: z.literal(true),
    job: z.uuid().nullable().describe('The job that began with it.'),
  }),
  problems: ['inbox_item_unknown', 'decided_before', 'order_unknown', 'decision_not_possible', 'amount_changed'],
  act: async ({ pool, act, params, body }) => {
    const item = itemOf(params.item);
    if (!item) throw new Problem('inbox_item_unknown');
    const decided = await decide(pool, act, item, wishOf(body, item.kind === 'order'));
    switch (decided.result) {
      case 'decided':
        return { decided: true as const, job: decided.job ?? null };
      case 'unknown':
        throw new Problem('inbox_item_unknown');
      case 'no_money':
      case 'not_possible':
        throw new Problem('decision_not_possible');
      case 'not_the_same':
        throw new Problem(
          'decision_not_possible',
          'That payment is of other money, of the same source, or was told of twice already.',
        );
      default:
        throw new Problem(decided.result);
    }
  },
});

export const showLedger = operation({
  method: 'get',
  path: '/v1/payments/ledger',
  summary: 'How much money stands where; together it is the feed of the bank',
  roles: ['operator', 'auditor'],
  isRecorded: true,
  answer: z.strictObject({
    totals: z.array(
      z.strictObject({ stands: z.string(), transfers: z.int(), balanceVnd: z.string().regex(/^-?\d+$/) }),
    ),
  }),
  problems: [],
  act: async ({ pool }) => ({
    totals: (await ledgerTotals(pool)).map(({ stands, transfers, balance }) => ({
      stands,
      transfers,
      balanceVnd: balance,
    })),
  }),
});
