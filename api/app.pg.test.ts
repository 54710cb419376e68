import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { postWebhook } from './payments/test-webhook.ts';
import { placeTestOrder, startTestApi, type TestApi } from './test-setup.ts';
import { makePool } from '../sql/pool.ts';
import { makeTestDatabase } from '../test/database.ts';

type Link = { url: string; silence: () => void; cut: () => Promise<void> };

/** A way to the database that can go silent, or away. */
async function linkTo(databaseUrl: string): Promise<Link> {
  const target = new URL(databaseUrl);
  const sockets = new Set<Socket>();
  let silent = false;
  const server = createServer((near) => {
    const far = connect(Number(target.port), target.hostname);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.on('data', (bytes) => silent || to.write(bytes));
      from.on('error', () => to.destroy()).on('close', () => to.destroy());
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = new URL(databaseUrl);
  url.port = String((server.address() as AddressInfo).port);
  return {
    url: url.href,
    silence: () => (silent = true),
    cut: async () => {
      for (const socket of sockets) socket.destroy();
      if (!server.listening) return;
      server.close();
      await once(server, 'close');
    },
  };
}

let api: TestApi;
beforeAll(async () => (api = await startTestApi()));
afterAll(() => api.stop());

test('what is not there is a problem, and so is a method that is not allowed', async () => {
  const missing = await fetch(`${api.url}/v2/orders`);
  expect(await missing.json()).toMatchObject({ status: 404, code: 'not_found' });
  const wrong = await fetch(`${api.url}/v1/orders`, { method: 'DELETE' });
  expect(wrong.headers.get('allow')).toContain('POST');
  expect(await wrong.json()).toMatchObject({ status: 405, code: 'method_not_allowed' });
});

test('every answer carries a request id and the security headers', async () => {
  for (const path of ['/healthz', '/nothing']) {
    const { headers } = await fetch(`${api.url}${path}`);
    expect(headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('content-security-policy')).toContain("default-src 'none'");
  }
});

describe('log and metrics', () => {
  test('speak of route patterns, never of a token, an address or a body', async () => {
    const { token } = await placeTestOrder(api);
    const response = await fetch(`${api.url}/v1/orders/${token}`);
    await postWebhook(api, 'rubbish-in-a-body');
    await fetch(`${api.url}/nothing/${token}`);
    expect(api.logged).toContainEqual(
      expect.objectContaining({
        msg: 'request',
        requestId: response.headers.get('x-request-id'),
        route: '/v1/orders/:token',
        method: 'GET',
        status: 200,
      }),
    );
    const said = JSON.stringify(api.logged) + (await (await fetch(`${api.operationsUrl}/metrics`)).text());
    for (const secret of [token, 'reader@mail.example', 'rubbish-in-a-body']) expect(said).not.toContain(secret);
  });

  test('count requests, orders and refusals', async () => {
    await placeTestOrder(api);
    const text = await (await fetch(`${api.operationsUrl}/metrics`)).text();
    expect(text).toMatch(/^http_requests_total{route="\/v1\/orders",method="POST",status="201"} [1-9]/m);
    expect(text).toMatch(/^http_requests_total{route="unmatched",method="GET",status="404"} [1-9]/m);
    expect(text).toMatch(/^http_request_duration_seconds_count{route="\/v1\/orders",method="POST"} [1-9]/m);
    expect(text).toMatch(/^orders_created_total [1-9]/m);
  });
});

describe('without its database', () => {
  let lonely: TestApi;
  let link: Link;
  beforeAll(async () => {
    const database = await makeTestDatabase();
    link = await linkTo(database.urlFor('lading_api'));
    const pool = makePool({ connectionString: link.url, applicationName: 'test', max: 4, onError: () => undefined });
    lonely = await startTestApi({ pool });
    const stop = lonely.stop;
    lonely.stop = async () => {
      await pool.end();
      await Promise.all([stop(), database.drop(), link.cut()]);
    };
    expect((await fetch(`${lonely.operationsUrl}/readyz`)).status).toBe(200);
  });
  afterAll(() => lonely.stop());

  test('that has gone silent, the process says within three seconds that it is not ready', async () => {
    link.silence();
    const askedAt = Date.now();
    const response = await fetch(`${lonely.operationsUrl}/readyz`);
    expect(await response.json()).toMatchObject({ status: 503, code: 'not_ready' });
    expect(Date.now() - askedAt).toBeLessThan(3_000);
  });

  test('that is gone, the process is alive and not ready, and tells nobody why', async () => {
    await link.cut();
    const [alive, ready, courses] = await Promise.all([
      fetch(`${lonely.url}/healthz`),
      fetch(`${lonely.operationsUrl}/readyz`),
      fetch(`${lonely.url}/v1/courses`),
    ]);
    expect(alive.status).toBe(200);
    expect(await ready.json()).toMatchObject({ status: 503, code: 'not_ready' });
    expect(await courses.json()).toMatchObject({ status: 500, code: 'internal', detail: 'Something went wrong here' });
  });
});
