/** The control plane: transfers go in here, signed webhooks come out. */
import type { RequestListener } from 'node:http';
import { Router } from '@koa/router';
import Koa from 'koa';
import { z } from 'zod';
import { readJson } from '../read-json.ts';
import type { Log } from '../run.ts';
import { deliver, type DeliverOptions, type Delivery } from './deliver.ts';
import { listRoute, makeList } from './list.ts';
import { makeTransfer, transferRequestSchema } from './transfer.ts';

const FIRST_ID = 92_704;
const TRANSFERS_MAX = 10_000;

export type SePayOptions = DeliverOptions & {
  codePattern: RegExp | undefined;
  /** Opens the list; without one there is none. */
  apiToken?: string | undefined;
  log: Log;
};

const resultOf = ({ transfer, ...result }: Delivery) => ({ ...result, id: transfer.id });

export function makeSePay(options: SePayOptions): RequestListener {
  const deliveries = new Map<number, Delivery>();
  const listed = makeList();
  let nextId = FIRST_ID;
  const router = new Router();

  const run = async (delivery: Delivery, untilEnd: boolean) => {
    const { first, end } = deliver(delivery, options);
    await (untilEnd ? end : first);
    const { transfer, ...result } = delivery;
    options.log.info({ ...result, id: transfer.id }, 'webhook sent');
    return resultOf(delivery);
  };

  // ?wait=end answers when SePay would give up or has succeeded, otherwise after the first attempt.
  router.post('/sandbox/transfers', async (ctx) => {
    const parsed = transferRequestSchema.safeParse(await readJson(ctx.req));
    if (!parsed.success) {
      ctx.status = 400;
      ctx.body = { error: z.prettifyError(parsed.error) };
      return;
    }
    const transfer = makeTransfer(parsed.data, { nextId, now: new Date(), codePattern: options.codePattern });
    nextId = Math.max(nextId, transfer.id) + 1;
    const delivery: Delivery = { transfer, delivered: false, attempts: 0, status: null, body: '' };
    deliveries.set(transfer.id, delivery);
    listed.add(transfer);
    const [oldest] = deliveries.keys();
    if (deliveries.size > TRANSFERS_MAX && oldest !== undefined) deliveries.delete(oldest);
    ctx.body = parsed.data.webhook ? await run(delivery, ctx.query['wait'] === 'end') : resultOf(delivery);
  });
  router.get('/sandbox/transfers', (ctx) => {
    ctx.body = [...deliveries.values()];
  });
  router.post('/sandbox/transfers/:id/redeliver', async (ctx) => {
    const delivery = deliveries.get(Number(ctx['params'].id));
    if (delivery) ctx.body = await run(delivery, ctx.query['wait'] === 'end');
    else ctx.status = 404;
  });
  if (options.apiToken !== undefined) router.get('/v2/transactions', listRoute(listed, options.apiToken));
  return new Koa().use(router.routes()).callback();
}
