import { z } from 'zod';
import { progressSchema } from '../../job-image/contract/messages.ts';
import { AHEAD_MAX } from '../../sql/order-queue.ts';
import { cancelOrder, ORDER_STATUSES, pageOfOrders } from '../../sql/orders.ts';
import { operation } from '../contract/operation.ts';
import { cursorOf, openCursor } from '../operators/cursor.ts';
import { courseId, instant, iso, nextCursor, orderCode, PAGE_DEFAULT, paging, UUID } from '../operators/fields.ts';
import { Problem } from '../problem.ts';
import { callerOf } from '../caller.ts';
import { normaliseEmail } from './email.ts';
import { orderEvents } from './events.ts';
import { orderAnswer, payloadLeft } from './order-answer.ts';
import { idempotencyKeyDigest, orderBody, orderHeaders, orderRequest } from './order-request.ts';
import { seeOrder, seeOrderBehind } from './see-order.ts';
import { takeOrder } from './take-order.ts';
import { qrPng, qrSvg } from './vietqr.ts';

const status = z.enum(ORDER_STATUSES);
const params = z.strictObject({
  token: z.string().describe('From the answer to the order; whoever has it sees the order.'),
});
const TOKEN_PROBLEMS = ['order_unknown'] as const;

const orderPlaced = z.strictObject({
  code: z.string().describe('What the customer writes into the transfer.'),
  status,
  amountVnd: z.int(),
  courseId: z.string(),
  courseTitle: z.string(),
  bank: z.strictObject({ bin: z.string(), accountNumber: z.string(), accountName: z.string() }),
  transferContent: z.string(),
  qr: z.strictObject({ payload: z.string().describe('VietQR, EMVCo.'), svgUrl: z.string(), pngUrl: z.string() }),
  expiresAt: instant,
  statusUrl: z.string(),
  pageUrl: z.string().describe('The page of this order, for its customer.'),
  token: z.string(),
});

export const place = operation({
  method: 'post',
  path: '/v1/orders',
  summary: 'Order a course: answers what to pay, and where to watch the order',
  roles: ['shop'],
  keyIsOptional: true,
  headers: orderHeaders,
  body: orderBody,
  statuses: [201, 200],
  answer: orderPlaced,
  problems: ['idempotency_key_invalid', 'idempotency_key_reused', 'course_unknown', 'course_not_orderable'],
  act: async ({ ctx, caller, body, ...deps }) => {
    const shop = (caller as typeof caller | undefined)?.name ?? null;
    const key = idempotencyKeyDigest(ctx.get('Idempotency-Key') || undefined, shop);
    const request = orderRequest(body, shop);
    const { order, isNew } = await takeOrder(deps, ctx.state.log, key, request);
    ctx.status = isNew ? 201 : 200;
    return orderAnswer(deps.desk, order);
  },
});

const orderSeen = z.strictObject({
  code: z.string(),
  status,
  course: z.strictObject({ id: z.string(), title: z.string() }),
  amountVnd: z.int(),
  paidVnd: z.int(),
  leftVnd: z.int().describe('Still to be paid; 0 where nothing is taken any more.'),
  unplaced: z
    .array(
      z.strictObject({
        reason: z.string(),
        amountVnd: z.int(),
        transferredAt: instant,
        decision: z.string().nullable().describe('`refund_recorded`, `ignored` …; null until an operator decided.'),
      }),
    )
    .describe('Money that was meant for this order and came too late, twice or after it was cancelled.'),
  bank: z.strictObject({ bin: z.string(), name: z.string(), accountNumber: z.string(), accountName: z.string() }),
  transferContent: z.string(),
  qr: z
    .strictObject({ payload: z.string().describe('VietQR, EMVCo.'), svgUrl: z.string(), pngUrl: z.string() })
    .nullable()
    .describe('To pay what is left.'),
  createdAt: instant,
  expiresAt: instant,
  queue: z
    .strictObject({
      ahead: z.int().describe(`Downloads that begin before this one; ${AHEAD_MAX}: as many or more.`),
      startSeconds: z.int().nullable().describe('Until it begins, from what was measured; null: not known.'),
      doneSeconds: z.int().nullable().describe('Until it is done; null: not known.'),
    })
    .nullable(),
  attempts: z.int(),
  progress: progressSchema.nullable(),
  folderUrl: z.string().optional().describe('Where the course is, once it is delivered.'),
  failure: z
    .strictObject({
      reason: z.string(),
      refundIsDue: z.boolean().describe('False: an operator runs it again or gives the money back.'),
    })
    .optional(),
});

export const show = operation({
  method: 'get',
  path: '/v1/orders/{token}',
  summary: 'One order as its customer sees it',
  roles: [],
  params,
  answer: orderSeen,
  problems: TOKEN_PROBLEMS,
  act: async ({ params: { token }, ...deps }) => (await seeOrderBehind(deps, token)).answer,
});

export const cancel = operation({
  method: 'post',
  path: '/v1/orders/{token}/cancel',
  summary: 'Cancel an order for which nothing was paid; a repeat answers the same',
  roles: [],
  params,
  answer: orderSeen,
  problems: [...TOKEN_PROBLEMS, 'order_not_cancellable'],
  act: async ({ ctx, params: { token }, ...deps }) => {
    const { order } = await seeOrderBehind(deps, token);
    if ((await cancelOrder(deps.pool, order.id)) !== 'cancelled') throw new Problem('order_not_cancellable');
    ctx.state.log.info({ order: order.code }, 'order cancelled');
    return (await seeOrderBehind(deps, token)).answer;
  },
});

export const watch = operation({
  method: 'get',
  path: '/v1/orders/{token}/events',
  summary: 'The order as it is, and again whenever it moved',
  roles: [],
  params,
  answer: z
    .any()
    .describe('Server-sent events named `status`; the data of each is what `GET /v1/orders/{token}` answers.'),
  media: ['text/event-stream'],
  problems: [...TOKEN_PROBLEMS, 'too_many_listeners'],
  act: async ({ ctx, params: { token }, ...deps }) => {
    const { order } = await seeOrderBehind(deps, token);
    const leave = deps.watchers.take(callerOf(ctx.ip));
    if (!leave) throw new Problem('too_many_listeners');
    ctx.res.once('close', leave);
    const stream = await orderEvents(deps.news, order.id, async () => {
      const now = await seeOrder(deps, order.id);
      return now && { expiresAt: now.order.expires_at, status: now.order.status, waits: now.waits, answer: now.answer };
    });
    ctx.type = 'text/event-stream';
    // A proxy that collects answers would hold the news back.
    ctx.set('X-Accel-Buffering', 'no');
    return stream;
  },
});

export const qrAsSvg = operation({
  method: 'get',
  path: '/v1/orders/{token}/qr.svg',
  summary: 'The VietQR code of the transfer as a drawing',
  roles: [],
  params,
  answer: z.any(),
  media: ['image/svg+xml'],
  problems: TOKEN_PROBLEMS,
  act: async ({ ctx, params: { token }, ...deps }) => {
    const picture = await qrSvg(payloadLeft(deps.desk, (await seeOrderBehind(deps, token)).order));
    ctx.type = 'image/svg+xml';
    return picture;
  },
});

export const qrAsPng = operation({
  method: 'get',
  path: '/v1/orders/{token}/qr.png',
  summary: 'The VietQR code of the transfer as a picture',
  roles: [],
  params,
  answer: z.any(),
  media: ['image/png'],
  problems: TOKEN_PROBLEMS,
  act: async ({ ctx, params: { token }, ...deps }) => {
    const picture = await qrPng(payloadLeft(deps.desk, (await seeOrderBehind(deps, token)).order));
    ctx.type = 'image/png';
    return picture;
  },
});

export const list = operation({
  method: 'get',
  path: '/v1/orders',
  summary: 'Orders, the newest first; a shop sees those that were placed with its keys',
  roles: ['operator', 'auditor', 'shop'],
  isRecorded: true,
  query: z.strictObject({
    ...paging,
    status: status.optional(),
    code: orderCode.optional(),
    courseId: courseId.optional(),
    email: z.string().max(320).optional().describe('The exact address; case does not matter.'),
  }),
  answer: z.strictObject({
    orders: z.array(
      z.strictObject({
        code: z.string(),
        status,
        courseId: z.string(),
        email: z.string(),
        shop: z.string().nullable(),
        amountVnd: z.int(),
        paidVnd: z.int(),
        jobId: z.uuid().nullable(),
        failure: z.string().nullable(),
        createdAt: instant,
        expiresAt: instant,
      }),
    ),
    nextCursor,
  }),
  problems: ['cursor_invalid'],
  act: async ({ pool, caller, query: { limit = PAGE_DEFAULT, cursor, email: given, ...filter } }) => {
    const after = openCursor(cursor, UUID);
    const email = given === undefined ? undefined : normaliseEmail(given);
    // What is no address is nobody's.
    if (given !== undefined && email === undefined) return { orders: [], nextCursor: null };
    const shop = caller.role === 'shop' ? caller.name : undefined;
    const page = await pageOfOrders(pool, { ...filter, email, shop }, after, limit);
    const last = page.length === limit ? page.at(-1) : undefined;
    return {
      orders: page.map((order) => ({
        code: order.code,
        status: order.status,
        courseId: order.course_id,
        email: order.email,
        shop: order.shop,
        amountVnd: order.amount_vnd,
        paidVnd: order.paid_vnd,
        jobId: order.job_id,
        failure: order.dead_reason,
        createdAt: iso(order.created_at),
        expiresAt: iso(order.expires_at),
      })),
      nextCursor: last ? cursorOf(last.micros, last.id) : null,
    };
  },
});
