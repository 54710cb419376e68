import { randomUUID } from 'node:crypto';
import type { Middleware, ParameterizedContext } from 'koa';
import type { Logger } from 'pino';
import type { State } from './context.ts';
import type { Metrics } from './metrics.ts';

/** Asked every few seconds by machines; their lines would bury the others. */
const PROBED_ROUTES: ReadonlySet<string> = new Set(['/healthz']);

/** The pattern a request matched. The path itself is never shown: it may carry a status token. */
function routeOf(ctx: ParameterizedContext<State>): string {
  const { _matchedRoute: pattern } = ctx as { _matchedRoute?: unknown };
  return typeof pattern === 'string' ? pattern : 'unmatched';
}

/** Gives each request an id, and writes one line and one sample when it is answered. No bodies, no raw paths. */
export const requestLog =
  (log: Logger, metrics: Metrics): Middleware<State> =>
  async (ctx, next) => {
    const requestId = randomUUID();
    ctx.state = { requestId, log: log.child({ requestId }) };
    ctx.set('X-Request-Id', requestId);
    const startedAt = performance.now();
    await next();
    const ms = Math.round(performance.now() - startedAt);
    const route = routeOf(ctx);
    const { method, status } = ctx;
    metrics.requests.inc({ route, method, status: String(status) });
    metrics.requestSeconds.observe({ route, method }, ms / 1_000);
    const line = { route, method, status, ms };
    if (PROBED_ROUTES.has(route)) ctx.state.log.debug(line, 'request');
    else ctx.state.log.info(line, 'request');
  };
