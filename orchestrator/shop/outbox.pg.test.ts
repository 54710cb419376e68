import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingHttpHeaders } from 'node:http';
import { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { pino } from 'pino';
import { masterKeysOf, oneMasterKey, parseMasterKeys } from '../../keys/master-keys.ts';
import { seal } from '../../keys/sealed.ts';
import { makeFaults, type Faults, faultSchema } from '../../sandbox/faults.ts';
import { serve, type Serving } from '../../sandbox/serve.ts';
import { makeShop, type ReceivedEvent } from '../../sandbox/shop/app.ts';
import { rotateShopSecret } from '../../sql/shop-secrets.ts';
import { findShopEndpoint, resendShopEvent, setShopEndpoint, switchShopEndpoint } from '../../sql/shop.ts';
import { testAct } from '../../test/act.ts';
import { makeTestDatabase, type TestDatabase } from '../../test/database.ts';
import { insertTestJob, makeWorld, testJobIn, type World } from '../../test/orders.ts';
import { TRIES_MAX } from './after-try.ts';
import { startOutbox, type Outbox } from './outbox.ts';
import { makePost } from './post.ts';

const WAIT_LIMIT_MS = 20_000;
const MASTER = randomBytes(32);
const masterKeys = oneMasterKey(MASTER);
const newSecret = (): string => `whsec_${randomBytes(32).toString('base64')}`;
const secrets = [newSecret(), newSecret()];

let database: TestDatabase;
let world: World;
let faults: Faults;
let events: ReceivedEvent[];
let shop: Serving;
let outbox: Outbox | undefined;
let logged: string;
const results: string[] = [];

beforeAll(async () => {
  database = await makeTestDatabase();
  world = await makeWorld(database);
  faults = makeFaults();
  const made = makeShop({ secrets, faults, log: pino({ level: 'silent' }) });
  ({ events } = made);
  shop = await serve({ host: '127.0.0.1', port: 0, handler: () => made.handler });
  for (const secret of secrets)
    await rotateShopSecret(world.owner, { overlapHours: 1, person: 'a test' }, (id) => seal(masterKeys, id, secret));
});
afterAll(async () => {
  await shop.stop();
  await database.drop();
});
beforeEach(async () => {
  faults.clear();
  events.length = 0;
  results.length = 0;
  logged = '';
  await world.owner.query(`UPDATE shop_events SET state = 'dead', ended_at = now() WHERE state = 'waiting'`);
  await setShopEndpoint(world.owner, `${shop.url}/webhooks/lading`, 'a test');
});
afterEach(async () => {
  await outbox?.stop();
  outbox = undefined;
});

const sink = new Writable({
  write: (line: Buffer, _encoding, done) => {
    logged += line.toString();
    done();
  },
});
function start(changes: { retryBaseSeconds?: number; keys?: typeof masterKeys; leaseSeconds?: number } = {}): Outbox {
  outbox = startOutbox(
    {
      pool: world.orchestrator,
      log: pino({ level: 'debug' }, sink),
      masterKeys: changes.keys ?? masterKeys,
      post: makePost(new Set([new URL(shop.url).origin])),
      retryBaseSeconds: changes.retryBaseSeconds ?? 0.01,
      onTried: (result) => results.push(result),
      onDisabled: () => undefined,
      onSecret: () => undefined,
    },
    changes.leaseSeconds,
  );
  return outbox;
}
async function until<T>(look: () => Promise<T | undefined> | T | undefined, what: string): Promise<T> {
  const giveUpAt = Date.now() + WAIT_LIMIT_MS;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (Date.now() > giveUpAt) throw new Error(`${what}; ${results.join()}; ${logged}`);
    await sleep(10);
  }
}
const stateOf = async (orderId: string): Promise<{ id: string; state: string; tries: number }[]> =>
  (
    await world.owner.query<{ id: string; state: string; tries: number }>(
      'SELECT id, state, tries FROM shop_events WHERE order_id = $1 ORDER BY seq',
      [orderId],
    )
  ).rows;
const ended = (orderId: string, state: string): Promise<{ id: string; tries: number }> =>
  until(async () => {
    const rows = await stateOf(orderId);
    return rows.every((row) => row.state === state) ? rows.at(-1) : undefined;
  }, `not ${state}`);
const logOf = async (eventId: string): Promise<unknown[]> =>
  (
    await world.api.query('SELECT n, status, error, answer FROM shop_deliveries WHERE event_id = $1 ORDER BY n', [
      eventId,
    ])
  ).rows;

test('an order is told in its order, signed with the secret of today and that of yesterday', async () => {
  const job = await testJobIn(world, 'completed');
  start();
  await ended(job.order_id, 'delivered');
  const [paid, completed] = await stateOf(job.order_id);
  expect(events).toMatchObject([
    { id: paid?.id, signatures: 2, repeat: false, body: { type: 'order.paid', data: { sequence: 1 } } },
    { id: completed?.id, signatures: 2, repeat: false, body: { type: 'order.completed', data: { sequence: 2 } } },
  ]);
  expect(await logOf(paid?.id ?? '')).toEqual([{ n: 1, status: 200, error: null, answer: '{"ok":true}' }]);
});

test('a shop that fails is told again, under the same id and in order', async () => {
  faults.add(faultSchema.parse({ times: 3, status: 503 }));
  const job = await testJobIn(world, 'completed');
  start();
  await ended(job.order_id, 'delivered');
  expect(events.map(({ body }) => (body as { type: string }).type)).toEqual(['order.paid', 'order.completed']);
  const [paid] = await stateOf(job.order_id);
  expect(paid?.tries).toBe(4);
  expect((await logOf(paid?.id ?? '')).slice(0, 1)).toEqual([
    { n: 1, status: 503, error: null, answer: '{"error":"sandbox fault"}' },
  ]);
});

test('Retry-After is waited for', async () => {
  faults.add(faultSchema.parse({ times: 1, status: 429, retryAfter: 1 }));
  const job = await insertTestJob(world);
  const startedAt = performance.now();
  start();
  await ended(job.order_id, 'delivered');
  expect(performance.now() - startedAt).toBeGreaterThan(950);
});

test('after the last try an event is dead, counted, and may be sent again', async () => {
  faults.add(faultSchema.parse({ times: TRIES_MAX, status: 500 }));
  const job = await insertTestJob(world);
  const running = start({ retryBaseSeconds: 0.0001 });
  const { id, tries } = await ended(job.order_id, 'dead');
  expect(tries).toBe(TRIES_MAX);
  expect(results).toEqual([...Array.from({ length: TRIES_MAX - 1 }, () => 'failed'), 'dead']);
  expect(await resendShopEvent(world.api, await testAct(world.owner), id)).toBe('resent');
  running.kick();
  await ended(job.order_id, 'delivered');
  expect(events).toMatchObject([{ id }]);
});

test('410 disables the endpoint; what happens meanwhile is told when it is enabled', async () => {
  faults.add(faultSchema.parse({ times: 1, status: 410 }));
  const job = await insertTestJob(world);
  const running = start();
  await until(async () => (await findShopEndpoint(world.api))?.disabled_at ?? undefined, 'not disabled');
  expect(await findShopEndpoint(world.api)).toMatchObject({ disabled_reason: 'it answered 410' });
  const later = await insertTestJob(world);
  running.kick();
  await running.stop();
  expect(events).toEqual([]);
  await switchShopEndpoint(world.owner, true, 'a test');
  start();
  await Promise.all([job, later].map(({ order_id: order }) => ended(order, 'delivered')));
});

test('nothing that waits, nothing asked: one look at the start, and one more when something happens', async () => {
  const statements: string[] = [];
  const query = world.orchestrator.query.bind(world.orchestrator);
  const counting = new Proxy(world.orchestrator, {
    get: (pool, name) =>
      name === 'query'
        ? (text: string, values: unknown[]) => {
            statements.push(text);
            return query(text, values);
          }
        : Reflect.get(pool, name),
  });
  const running = startOutbox({
    pool: counting,
    log: pino({ level: 'silent' }),
    masterKeys,
    post: makePost(new Set()),
    retryBaseSeconds: 1,
    onTried: () => undefined,
    onDisabled: () => undefined,
    onSecret: () => undefined,
  });
  await until(() => (statements.length >= 2 ? true : undefined), 'never looked');
  // Longer than any pause of the loop.
  await sleep(300);
  expect(statements).toHaveLength(2);
  running.kick();
  await until(() => (statements.length >= 4 ? true : undefined), 'not looked again');
  await sleep(300);
  expect(statements).toHaveLength(4);
  await running.stop();
});

test('killed between sending and writing it down, the next one tells it again under the same id', async () => {
  const got: IncomingHttpHeaders[] = [];
  const silent = await serve({
    host: '127.0.0.1',
    port: 0,
    handler: () => (request, response) => {
      got.push(request.headers);
      request.resume();
      if (got.length > 1) response.end('ok');
    },
  });
  await setShopEndpoint(world.owner, silent.url, 'a test');
  const job = await insertTestJob(world);
  const child = spawn(process.execPath, [fileURLToPath(new URL('../../test/shop-child.ts', import.meta.url))], {
    env: {
      SHOP: JSON.stringify({
        databaseUrl: database.urlFor('lading_orchestrator'),
        masterKey: MASTER.toString('base64'),
        origin: new URL(silent.url).origin,
        leaseSeconds: 2,
      }),
    },
    stdio: 'ignore',
  });
  try {
    await until(() => got[0], 'the child sent nothing');
    child.kill('SIGKILL');
    await once(child, 'exit');
    outbox = startOutbox({
      pool: world.orchestrator,
      log: pino({ level: 'silent' }),
      masterKeys,
      post: makePost(new Set([new URL(silent.url).origin])),
      retryBaseSeconds: 1,
      onTried: (result) => results.push(result),
      onDisabled: () => undefined,
      onSecret: () => undefined,
    });
    const { id, tries } = await ended(job.order_id, 'delivered');
    expect(tries).toBe(2);
    expect(got.map((headers) => headers['webhook-id'])).toEqual([id, id]);
    expect(await logOf(id)).toEqual([{ n: 2, status: 200, error: null, answer: 'ok' }]);
  } finally {
    child.kill('SIGKILL');
    await outbox?.stop();
    await silent.stop();
  }
});

test('no secret is logged, and one that cannot be opened is no reason to send unsigned', async () => {
  const job = await insertTestJob(world);
  const other = masterKeysOf(() => parseMasterKeys(randomBytes(32).toString('base64')));
  start({ keys: other, retryBaseSeconds: 0.0001 });
  const { id } = await ended(job.order_id, 'dead');
  expect(events).toEqual([]);
  expect(await logOf(id)).toContainEqual({
    n: 1,
    status: null,
    error: 'the secret cannot be opened',
    answer: null,
  });
  expect(logged).toContain('shop not told');
  for (const secret of [...secrets, MASTER.toString('base64'), MASTER.toString('hex')])
    expect(logged).not.toContain(secret.replace('whsec_', ''));
});
