import type { Server } from 'node:http';
import Koa from 'koa';
import type { Registry } from 'prom-client';

const REQUEST_LIMIT_MS = 10_000;

/** /healthz says the process runs, /readyz that it reaches Postgres and the engine, /metrics in Prometheus' text form. */
export function startHealthServer(options: {
  host: string;
  port: number;
  registry: Registry;
  ready: () => Promise<Record<string, boolean>>;
}): Promise<Server> {
  const app = new Koa();
  app.use(async (context) => {
    if (context.path === '/healthz') context.body = { ok: true };
    else if (context.path === '/readyz') {
      const parts = await options.ready();
      context.status = Object.values(parts).every(Boolean) ? 200 : 503;
      context.body = parts;
    } else if (context.path === '/metrics') {
      context.type = options.registry.contentType;
      context.body = await options.registry.metrics();
    }
  });
  return new Promise((resolve, reject) => {
    const server = app.listen(options.port, options.host, () => resolve(server));
    server.requestTimeout = REQUEST_LIMIT_MS;
    server.once('error', reject);
  });
}
