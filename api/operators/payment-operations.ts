import { z } from 'zod';
import { recordChange } from '../../sql/api-keys.ts';
import { ledgerTotals, listInbox } from '../../sql/inbox.ts';
import { decide, type Action } from '../payments/decide.ts';
import { Problem } from '../problem.ts';
import { cursorOf, openCursor } from './cursor.ts';
import { instant, iso, isoOrNull, nextCursor, orderCode, PAGE_DEFAULT, paging, words } from './fields.ts';
import { operation } from '../contract/operation.ts';

const RAW_SHOWN_CHARS = 16 * 1024;
const INBOX_ID = /^(payment|event):\d{1,15}$/;

const inboxItem = z.strictObject({
  id: z.string(),
  since: instant,
  reason: z.string(),
  amountVnd: z.int().nullable(),
  accountNumber: z.string().nullable(),
  content: z.string().nullable(),
  transferredAt: instant.nullable(),
  proposedOrderCode: z.string().nullable(),
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
        wrongFields: item.wrong_fields,
        raw: item.raw?.toString('utf8').slice(0, RAW_SHOWN_CHARS) ?? null,
      })),
      nextCursor: last ? cursorOf(last.since.getTime() * 1_000, last.id) : null,
    };
  },
});

export const decideInbox = operation({
  method: 'post',
  path: '/v1/payments/inbox/{item}/decision',
  summary: 'Decide, once, what becomes of something in the inbox',
  roles: ['operator'],
  params: z.strictObject({ item: z.string().regex(INBOX_ID) }),
  body: z.strictObject({
    action: z.enum(['assign', 'refund-recorded', 'ignore']),
    orderCode: orderCode.optional().describe('Where money is assigned to; needed for assign and for nothing else.'),
    reason: words,
  }),
  answer: z.strictObject({
    decided: z.literal(true),
    job: z.uuid().nullable().describe('The job that began with it.'),
  }),
  problems: ['inbox_item_unknown', 'decided_before', 'order_unknown', 'decision_not_possible'],
  act: async ({ pool, caller, requestId, params, body }) => {
    if ((body.action === 'assign') !== (body.orderCode !== undefined))
      throw new Problem('request_invalid', undefined, {
        errors: [{ field: 'orderCode', message: 'is needed for assign and for nothing else' }],
      });
    const action: Action =
      body.action === 'assign' ? { action: 'assign', orderCode: body.orderCode ?? '' } : { action: body.action };
    const said = { person: caller.name, reason: body.reason };
    const decided = await decide(pool, params.item, action, said, (db, job) =>
      recordChange(db, {
        keyId: caller.keyId,
        requestId,
        action: `inbox ${body.action}`,
        subject: params.item,
        before: { waiting: true },
        after: { ...body, job: job ?? null },
      }),
    );
    if (decided.result === 'unknown') throw new Problem('inbox_item_unknown');
    if (decided.result === 'no_money' || decided.result === 'not_for_events')
      throw new Problem('decision_not_possible');
    if (decided.result !== 'decided') throw new Problem(decided.result);
    return { decided: true as const, job: decided.job ?? null };
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
    totals: (await ledgerTotals(pool)).map(({ stands, count, balance }) => ({
      stands,
      transfers: count,
      balanceVnd: balance,
    })),
  }),
});
