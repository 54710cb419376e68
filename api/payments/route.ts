import type { IncomingHttpHeaders } from 'node:http';
import type { Router } from '@koa/router';
import { keepNotUnderstood, type NotUnderstood } from '../../sql/payments.ts';
import type { Pool } from '../../sql/pool.ts';
import type { Context, State } from '../context.ts';
import type { Metrics } from '../metrics.ts';
import { Problem } from '../problem.ts';
import { parseJson, readBody } from '../read-body.ts';
import { isNestedTooDeep } from './nesting.ts';
import { recordPayment } from './record-payment.ts';
import type { SenderCheck } from './senders.ts';
import { parseSepayEvent, type BankTransaction } from './sepay-event.ts';
import {
  implausibleHeaders,
  rejectionOf,
  type SepayAuth,
  type SepayHeaders,
  type SepayRejection,
} from './sepay-signature.ts';

const WEBHOOK_BODY_MAX_BYTES = 16 * 1024;

export type PaymentDeps = {
  pool: Pool;
  sepayAuth: SepayAuth;
  ownAccountNumber: string;
  /** Where webhooks may come from; undefined: from anywhere. */
  isSender?: SenderCheck | undefined;
  metrics: Metrics;
};

const unixNow = (): number => Math.floor(Date.now() / 1_000);

const header = (headers: IncomingHttpHeaders, name: string): string | undefined => {
  const value = headers[name];
  return typeof value === 'string' ? value : undefined;
};

function sepayHeaders(headers: IncomingHttpHeaders): SepayHeaders {
  const signature = header(headers, 'x-sepay-signature');
  const timestamp = header(headers, 'x-sepay-timestamp');
  const authorization = header(headers, 'authorization');
  return {
    ...(signature !== undefined && { signature }),
    ...(timestamp !== undefined && { timestamp }),
    ...(authorization !== undefined && { authorization }),
  };
}

type Understood =
  { transaction: BankTransaction } | { problem: 'not_json' | 'not_a_transaction'; wrongFields: string[] };

function understand(raw: Buffer): Understood {
  if (isNestedTooDeep(raw.toString('latin1'))) return { problem: 'not_a_transaction', wrongFields: [] };
  let json: unknown;
  try {
    json = parseJson(raw);
  } catch (error) {
    if (error instanceof Problem) return { problem: 'not_json', wrongFields: [] };
    throw error;
  }
  const parsed = parseSepayEvent(json);
  return parsed.transaction ? parsed : { problem: 'not_a_transaction', wrongFields: parsed.wrongFields };
}

/** It may be money: SePay need not come again, because the operator finds it in the inbox. */
async function keep(
  ctx: Context,
  { pool, metrics }: PaymentDeps,
  event: { raw: Buffer; problem: NotUnderstood; wrongFields: readonly string[] },
): Promise<void> {
  const isNew = await keepNotUnderstood(pool, { source: 'sepay_webhook', ...event });
  metrics.notUnderstood.inc({ problem: event.problem });
  const { problem, wrongFields, raw } = event;
  ctx.state.log.error({ problem, wrongFields, bytes: raw.length, isNew }, 'authentic webhook was not understood');
}

export function addPaymentRoutes(router: Router<State>, deps: PaymentDeps): void {
  const { pool, sepayAuth, ownAccountNumber, metrics } = deps;

  const refuse = (ctx: Context, reason: SepayRejection | 'sender_not_allowed'): never => {
    metrics.webhookRejections.inc({ reason });
    ctx.state.log.warn({ reason }, 'webhook refused');
    throw new Problem('webhook_not_authentic');
  };

  router.post('/webhooks/sepay', async (ctx) => {
    if (deps.isSender && !deps.isSender(ctx.ip)) refuse(ctx, 'sender_not_allowed');
    const headers = sepayHeaders(ctx.req.headers);
    // Before the body is read for nobody.
    const implausible = implausibleHeaders(sepayAuth, headers, unixNow());
    if (implausible !== undefined) refuse(ctx, implausible);
    const raw = await readBody(ctx.req, WEBHOOK_BODY_MAX_BYTES);
    const rejection = rejectionOf(sepayAuth, headers, raw, unixNow());
    if (rejection !== undefined) refuse(ctx, rejection);
    const understood = understand(raw);
    if ('problem' in understood) await keep(ctx, deps, { raw, ...understood });
    else {
      const { transaction } = understood;
      const recorded = await recordPayment(pool, transaction, { authMode: sepayAuth.mode, ownAccountNumber });
      metrics.payments.inc({ placement: recorded.placement });
      ctx.state.log.info({ event: transaction.externalId, ...recorded }, 'payment recorded');
      if (recorded.placement === 'id_reused') await keep(ctx, deps, { raw, problem: 'id_reused', wrongFields: ['id'] });
    }
    // SePay takes exactly this for a success: for repeats, money we cannot place, and what we cannot read as well.
    ctx.body = { success: true };
  });
}
