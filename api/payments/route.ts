import type { IncomingHttpHeaders } from 'node:http';
import type { Router } from '@koa/router';
import type { Pool } from '../../sql/pool.ts';
import type { Context, State } from '../context.ts';
import type { Metrics } from '../metrics.ts';
import { Problem } from '../problem.ts';
import { parseJson, readBody } from '../read-body.ts';
import { recordPayment } from './record-payment.ts';
import { parseSepayEvent, type BankTransaction } from './sepay-event.ts';
import { rejectionOf, type SepayAuth, type SepayHeaders } from './sepay-signature.ts';

const WEBHOOK_BODY_MAX_BYTES = 16 * 1024;

export type PaymentDeps = { pool: Pool; sepayAuth: SepayAuth; ownAccountNumber: string; metrics: Metrics };

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

/** An authentic webhook that cannot be understood may be money: SePay is told, and so is the operator. */
function understand(ctx: Context, raw: Buffer, metrics: Metrics): BankTransaction {
  let json: unknown;
  try {
    json = parseJson(raw);
  } catch (error) {
    metrics.webhookRejections.inc({ reason: 'not_json' });
    ctx.state.log.error({ bytes: raw.length }, 'authentic webhook is not JSON');
    throw error;
  }
  const parsed = parseSepayEvent(json);
  if (parsed.transaction) return parsed.transaction;
  metrics.webhookRejections.inc({ reason: 'malformed' });
  ctx.state.log.error({ wrongFields: parsed.wrongFields }, 'authentic webhook is not a transaction');
  throw new Problem('webhook_malformed', `Wrong fields: ${parsed.wrongFields.join(', ') || 'all'}`);
}

export function addPaymentRoutes(router: Router<State>, deps: PaymentDeps): void {
  const { pool, sepayAuth, ownAccountNumber, metrics } = deps;

  router.post('/webhooks/sepay', async (ctx) => {
    const raw = await readBody(ctx.req, WEBHOOK_BODY_MAX_BYTES);
    const rejection = rejectionOf(sepayAuth, sepayHeaders(ctx.req.headers), raw, Math.floor(Date.now() / 1_000));
    if (rejection !== undefined) {
      metrics.webhookRejections.inc({ reason: rejection });
      ctx.state.log.warn({ reason: rejection }, 'webhook refused');
      throw new Problem('webhook_not_authentic');
    }
    const transaction = understand(ctx, raw, metrics);
    const recorded = await recordPayment(pool, transaction, { authMode: sepayAuth.mode, ownAccountNumber });
    metrics.payments.inc({ placement: recorded.placement });
    ctx.state.log.info({ event: transaction.externalId, ...recorded }, 'payment recorded');
    // SePay takes exactly this for a success, for repeats and for money we cannot place as well.
    ctx.body = { success: true };
  });
}
