import { z } from 'zod';
import { deliveriesOfEvent, findShopEvent, pageOfShopEvents, type ShopEventReport } from '../../sql/shop-reports.ts';
import { findShopEndpoint, resendShopEvent, SHOP_EVENT_STATES } from '../../sql/shop.ts';
import { Problem } from '../problem.ts';
import type { Caller } from './authenticate.ts';
import { cursorOf, openCursor } from './cursor.ts';
import { instant, iso, isoOrNull, nextCursor, orderCode, PAGE_DEFAULT, paging, UUID } from './fields.ts';
import { operation } from '../contract/operation.ts';

const eventLine = z.strictObject({
  id: z.uuid().describe('The webhook-id of every try.'),
  orderCode: z.string(),
  type: z.enum(['order.paid', 'order.completed', 'order.failed']),
  state: z.enum(SHOP_EVENT_STATES),
  tries: z.int(),
  createdAt: instant,
  nextTryAt: instant.nullable(),
  endedAt: instant.nullable(),
});
const lineOf = (event: ShopEventReport): z.input<typeof eventLine> => ({
  id: event.id,
  orderCode: event.order_code,
  type: event.type,
  state: event.state,
  tries: event.tries,
  createdAt: iso(event.created_at),
  nextTryAt: event.state === 'waiting' ? iso(event.next_try_at) : null,
  endedAt: isoOrNull(event.ended_at),
});
/** A shop's key sees the events of its own orders; the others all. */
const shopOf = ({ role, name }: Caller): string | undefined => (role === 'shop' ? name : undefined);
const params = z.strictObject({ event: z.string().regex(UUID) });

export const listShopEvents = operation({
  method: 'get',
  path: '/v1/shop/events',
  summary: "What the shop's own system is told, the newest first",
  roles: ['operator', 'auditor', 'shop'],
  isRecorded: true,
  query: z.strictObject({
    ...paging,
    state: z.enum(SHOP_EVENT_STATES).optional(),
    orderCode: orderCode.optional(),
  }),
  answer: z.strictObject({
    endpoint: z
      .strictObject({ url: z.string(), disabledAt: instant.nullable(), disabledReason: z.string().nullable() })
      .nullable(),
    events: z.array(eventLine),
    nextCursor,
  }),
  problems: ['cursor_invalid'],
  act: async ({ pool, caller, query }) => {
    const limit = query.limit ?? PAGE_DEFAULT;
    const page = await pageOfShopEvents(
      pool,
      { ...query, shop: shopOf(caller) },
      openCursor(query.cursor, UUID),
      limit,
    );
    const endpoint = await findShopEndpoint(pool);
    const last = page.length === limit ? page.at(-1) : undefined;
    return {
      endpoint: endpoint
        ? {
            url: endpoint.url,
            disabledAt: isoOrNull(endpoint.disabled_at),
            disabledReason: endpoint.disabled_reason,
          }
        : null,
      events: page.map(lineOf),
      nextCursor: last ? cursorOf(last.micros, last.id) : null,
    };
  },
});

export const showShopEvent = operation({
  method: 'get',
  path: '/v1/shop/events/{event}',
  summary: 'One event for the shop, as it is sent, with every try to deliver it',
  roles: ['operator', 'auditor', 'shop'],
  isRecorded: true,
  params,
  answer: z.strictObject({
    ...eventLine.shape,
    body: z.string(),
    deliveries: z.array(
      z.strictObject({
        n: z.int(),
        at: instant,
        durationMs: z.int(),
        status: z.int().nullable(),
        error: z.string().nullable(),
        answer: z.string().nullable().describe('The beginning of what was answered.'),
      }),
    ),
  }),
  problems: ['shop_event_unknown'],
  act: async ({ pool, caller, params: { event: id } }) => {
    const event = await findShopEvent(pool, id, shopOf(caller));
    if (!event) throw new Problem('shop_event_unknown');
    const deliveries = await deliveriesOfEvent(pool, id);
    return {
      ...lineOf(event),
      body: event.body,
      deliveries: deliveries.map(({ duration_ms: durationMs, at, ...one }) => ({ ...one, at: iso(at), durationMs })),
    };
  },
});

export const resendToShop = operation({
  method: 'post',
  path: '/v1/shop/events/{event}/resend',
  summary: 'Send an event to the shop once more, under the same webhook-id',
  roles: ['operator', 'shop'],
  params,
  answer: z.strictObject({ resent: z.literal(true) }),
  problems: ['shop_event_unknown', 'event_waits_already'],
  act: async ({ pool, act, params: { event: id } }) => {
    const said = await resendShopEvent(pool, act, id);
    if (said === 'unknown') throw new Problem('shop_event_unknown');
    if (said === 'waits_already') throw new Problem('event_waits_already');
    return { resent: true as const };
  },
});
