/**
 * The shop's own system: takes events as a careful receiver does. It verifies the signature of Standard Webhooks before it
 * reads the body, knows each webhook-id once, and can be told to fail.
 */
import type { RequestListener } from 'node:http';
import { Router } from '@koa/router';
import Koa from 'koa';
import { getRawBody } from 'raw-body';
import { Webhook } from 'standardwebhooks';
import { z } from 'zod';
import type { Faults } from '../faults.ts';
import { addFaultRoutes, faultsMiddleware } from '../faults-over-http.ts';
import { readJson } from '../read-json.ts';
import type { Log } from '../run.ts';

const BODY_MAX_BYTES = 20 * 1024;
const EVENTS_MAX = 10_000;

export type ReceivedEvent = {
  id: string;
  timestamp: number;
  signatures: number;
  /** Which of the shop's secrets it is signed with, counted from 0; -1: with none. */
  secret: number;
  repeat: boolean;
  body: unknown;
};

const secretsSchema = z.strictObject({ secrets: z.array(z.string().startsWith('whsec_')).max(4) });

/** Any of the shop's secrets will do: that is how it goes through a rotation without losing an event. */
function secretOf(secrets: readonly string[], raw: string, headers: Record<string, string>): number {
  return secrets.findIndex((secret) => {
    try {
      new Webhook(secret).verify(raw, headers);
      return true;
    } catch {
      return false;
    }
  });
}

/** `POST /webhooks/lading`; `GET /sandbox/events`, `PUT /sandbox/secrets` and the faults. */
export function makeShop({ secrets: first, faults, log }: { secrets: readonly string[]; faults: Faults; log: Log }): {
  handler: RequestListener;
  events: ReceivedEvent[];
} {
  const events: ReceivedEvent[] = [];
  const seen = new Set<string>();
  let secrets = first;
  const router = new Router();
  addFaultRoutes(router, faults);
  router.get('/sandbox/events', (ctx) => {
    ctx.body = events;
  });
  router.put('/sandbox/secrets', async (ctx) => {
    const parsed = secretsSchema.safeParse(await readJson(ctx.req));
    if (parsed.success) ({ secrets } = parsed.data);
    ctx.status = parsed.success ? 204 : 400;
  });
  router.post('/webhooks/lading', async (ctx) => {
    const raw = (await getRawBody(ctx.req, { limit: BODY_MAX_BYTES })).toString('utf8');
    const id = ctx.get('webhook-id');
    const headers = {
      'webhook-id': id,
      'webhook-timestamp': ctx.get('webhook-timestamp'),
      'webhook-signature': ctx.get('webhook-signature'),
    };
    const secret = secretOf(secrets, raw, headers);
    const event: ReceivedEvent = {
      id,
      timestamp: Number(headers['webhook-timestamp']),
      signatures: headers['webhook-signature'].split(' ').length,
      secret,
      repeat: seen.has(id),
      body: secret < 0 ? undefined : JSON.parse(raw),
    };
    if (events.push(event) > EVENTS_MAX) events.shift();
    log.info({ id, secret, repeat: event.repeat }, 'event received');
    if (secret >= 0) seen.add(id);
    ctx.status = secret < 0 ? 401 : 200;
    ctx.body = secret < 0 ? { error: 'signature' } : { ok: true };
  });
  const app = new Koa();
  app.use(
    faultsMiddleware(faults, (ctx, status, fault) => {
      ctx.status = status;
      ctx.body = { error: fault.message ?? 'sandbox fault' };
    }),
  );
  return { handler: app.use(router.routes()).callback(), events };
}
