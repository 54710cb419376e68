import type { Logger } from 'pino';
import { Webhook } from 'standardwebhooks';
import type { MasterKeys } from '../../keys/master-keys.ts';
import { open } from '../../keys/sealed.ts';
import type { Pool } from '../../sql/pool.ts';
import { signingSecrets } from '../../sql/shop-secrets.ts';
import { disableShopEndpoint, recordShopTry, type ClaimedEvent } from '../../sql/shop.ts';
import { afterTry, type Answered, type NotAnswered } from './after-try.ts';
import type { Post } from './post.ts';

export type DeliverDeps = {
  pool: Pool;
  log: Logger;
  masterKeys: MasterKeys;
  post: Post;
  retryBaseSeconds: number;
  onTried: (result: 'delivered' | 'failed' | 'dead') => void;
  onDisabled: (disabled: boolean) => void;
  onSecret: (madeAt: Date) => void;
};

/** The headers of Standard Webhooks: one signature for the current secret and one for the secret before it. */
export function signedHeaders(id: string, body: string, secrets: readonly string[], at: Date): Record<string, string> {
  return {
    'Content-Type': 'application/json',
    'User-Agent': 'Lading',
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(at.getTime() / 1_000)),
    'webhook-signature': secrets.map((secret) => new Webhook(secret).sign(id, at, body)).join(' '),
  };
}

async function tryOnce(deps: DeliverDeps, event: ClaimedEvent): Promise<Answered | NotAnswered> {
  const sealed = await signingSecrets(deps.pool);
  const [current] = sealed;
  if (current) deps.onSecret(current.created_at);
  const secrets = sealed.flatMap(
    (one) => open(deps.masterKeys, one.id, { sealed: one.sealed, keyId: one.key_id }) ?? [],
  );
  // Signed with less than all, the shop would refuse what it should take.
  if (secrets.length === 0 || secrets.length < sealed.length) return { error: 'the secret cannot be opened' };
  return deps.post(event.url, signedHeaders(event.id, event.body, secrets, new Date()), event.body);
}

/** One try of a claimed event, and what comes of it. The claim was written before; a death in here ends with its lease. */
export async function deliver(deps: DeliverDeps, event: ClaimedEvent): Promise<void> {
  const startedAt = performance.now();
  const result = await tryOnce(deps, event);
  const durationMs = Math.round(performance.now() - startedAt);
  const { after, one, disable } = afterTry(result, {
    failures: event.tries - event.tries_before - 1,
    retryBaseSeconds: deps.retryBaseSeconds,
    nowMs: Date.now(),
    random: Math.random(),
  });
  // First: what is recorded is not sent to one who is gone.
  if (disable && (await disableShopEndpoint(deps.pool, event.url, 'it answered 410')))
    deps.log.error({ event: event.id }, 'the shop wants no more events, its endpoint is disabled');
  if (disable) deps.onDisabled(true);
  if (!(await recordShopTry(deps.pool, event, { ...one, durationMs }, after))) return;
  if (after.state === 'delivered') deps.onDisabled(false);
  deps.onTried(after.state === 'waiting' ? 'failed' : after.state);
  const line = { event: event.id, type: event.type, n: event.tries, status: one.status, error: one.error, durationMs };
  if (after.state === 'delivered') deps.log.info(line, 'shop told');
  else if (after.state === 'dead') deps.log.error(line, 'shop not told, given up');
  else deps.log.warn({ ...line, afterSeconds: after.delaySeconds }, 'shop not told, trying again');
}
