/** A customer with a phone and a bank app: orders over the API, pays through the SePay stand-in, watches the status link. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';

const ANSWER_LIMIT_MS = 15_000;
const LOOK_EVERY_MS = 150;

const placedSchema = z.object({
  code: z.string(),
  amountVnd: z.int(),
  transferContent: z.string(),
  token: z.string(),
  statusUrl: z.string(),
  pageUrl: z.string(),
  bank: z.object({ accountNumber: z.string() }),
  qr: z.object({ payload: z.string() }),
});
export type PlacedOrder = z.infer<typeof placedSchema>;

const statusSchema = z.object({
  status: z.string(),
  attempts: z.int(),
  progress: z
    .object({
      filesDone: z.int(),
      filesTotal: z.int(),
      bytesDone: z.int(),
      bytesTotal: z.int(),
      bytesPerSecond: z.number(),
    })
    .nullable(),
  failure: z.object({ reason: z.string() }).optional(),
});
export type SeenStatus = z.infer<typeof statusSchema>;

const deliverySchema = z.object({ delivered: z.boolean(), status: z.int().nullable(), body: z.string(), id: z.int() });
export type WebhookDelivery = z.infer<typeof deliverySchema>;

const coursesSchema = z.object({
  courses: z.array(z.object({ id: z.string(), title: z.string(), priceVnd: z.int() })),
});

/** Sends JSON and reads JSON. Throws with the answer's text when it is not 2xx or not of the shape. */
export async function callJson<S extends z.ZodType>(
  schema: S,
  url: string,
  init: { method?: string; headers?: Record<string, string>; body?: unknown } = {},
): Promise<z.infer<S>> {
  const answer = await fetch(url, {
    method: init.method ?? 'GET',
    signal: AbortSignal.timeout(ANSWER_LIMIT_MS),
    headers: { ...(init.body === undefined ? {} : { 'content-type': 'application/json' }), ...init.headers },
    ...(init.body === undefined ? {} : { body: JSON.stringify(init.body) }),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${url} answered ${answer.status}: ${text.slice(0, 500)}`);
  return schema.parse(JSON.parse(text));
}

export function makeCustomer(at: { apiUrl: string; sepayUrl: string }) {
  const status = (order: PlacedOrder): Promise<SeenStatus> =>
    callJson(statusSchema, `${at.apiUrl}/v1/orders/${order.token}`);
  return {
    catalogue: async () => (await callJson(coursesSchema, `${at.apiUrl}/v1/courses`)).courses,
    order: (courseId: string, email: string, idempotencyKey: string = randomUUID()): Promise<PlacedOrder> =>
      callJson(placedSchema, `${at.apiUrl}/v1/orders`, {
        method: 'POST',
        headers: { 'idempotency-key': idempotencyKey },
        body: { courseId, email },
      }),
    /** A transfer as a bank would report it, with the text banks put around the content. */
    pay: (order: PlacedOrder, amountVnd: number = order.amountVnd): Promise<WebhookDelivery> =>
      callJson(deliverySchema, `${at.sepayUrl}/sandbox/transfers`, {
        method: 'POST',
        body: {
          accountNumber: order.bank.accountNumber,
          amount: amountVnd,
          content: `MBVCB.3278907687.${order.transferContent}.CT tu 9704 toi ${order.bank.accountNumber}`,
        },
      }),
    status,
    /** Looks until the order has one of `wanted`; tells each look to `onLook`. Throws with the last status at the limit. */
    waitFor: async (
      order: PlacedOrder,
      wanted: readonly string[],
      limitMs: number,
      onLook: (seen: SeenStatus) => void = () => undefined,
    ): Promise<SeenStatus> => {
      const giveUpAt = Date.now() + limitMs;
      for (;;) {
        const seen = await status(order);
        onLook(seen);
        if (wanted.includes(seen.status)) return seen;
        if (Date.now() > giveUpAt)
          throw new Error(`order ${order.code} is ${JSON.stringify(seen)}, not ${wanted.join(' or ')}`);
        await sleep(LOOK_EVERY_MS);
      }
    },
  };
}
export type Customer = ReturnType<typeof makeCustomer>;
