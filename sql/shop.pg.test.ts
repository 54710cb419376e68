import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { insertTestJob, insertTestOrder, makeWorld, TEST_COURSE, testJobIn, type World } from '../test/orders.ts';
import { makeTestDatabase, type TestDatabase } from '../test/database.ts';
import { bury } from '../test/moves.ts';
import { insertJob } from './jobs.ts';
import { inTransaction } from './pool.ts';
import { rotateShopSecret } from './shop-secrets.ts';
import {
  claimShopEvents,
  nextShopTryMs,
  recordShopTry,
  resendShopEvent,
  setShopEndpoint,
  switchShopEndpoint,
} from './shop.ts';
import { testAct } from '../test/act.ts';

let database: TestDatabase;
let world: World;
beforeAll(async () => {
  database = await makeTestDatabase();
  world = await makeWorld(database);
  await rotateShopSecret(world.owner, { overlapHours: 1, person: 'a test' }, () => ({
    sealed: Buffer.alloc(40),
    keyId: '0'.repeat(16),
  }));
});
afterAll(() => database.drop());
beforeEach(async () => {
  await setShopEndpoint(world.owner, 'https://shop.example/events', 'a test');
  // Whatever other tests left is told.
  await world.owner.query(`UPDATE shop_events SET state = 'dead', ended_at = now() WHERE state = 'waiting'`);
});

type Row = { type: string; body: string; state: string; id: string };
const eventsOf = async (orderId: string): Promise<Row[]> =>
  (await world.owner.query<Row>('SELECT * FROM shop_events WHERE order_id = $1 ORDER BY seq', [orderId])).rows;
const TRY = { durationMs: 5, status: 200, error: undefined, answer: 'ok' };

describe('an event is written with what it tells of', () => {
  test('paid, then completed; each with its place in the order', async () => {
    const job = await testJobIn(world, 'completed');
    const events = await eventsOf(job.order_id);
    expect(events.map(({ type }) => type)).toEqual(['order.paid', 'order.completed']);
    const bodies = events.map(({ body }) => JSON.parse(body) as { type: string; data: Record<string, unknown> });
    expect(bodies.map(({ data }) => data['sequence'])).toEqual([1, 2]);
    expect(bodies[1]).toEqual({
      type: 'order.completed',
      timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      data: {
        orderId: job.order_id,
        orderCode: expect.stringMatching(/^LD/),
        courseId: TEST_COURSE,
        amountVnd: 499_000,
        status: 'completed',
        sequence: 2,
      },
    });
    expect(JSON.stringify(bodies)).not.toContain('@');
  });

  test('a payment that is rolled back is told to nobody', async () => {
    const order = await insertTestOrder(world.api);
    const failure = new Error('after the job');
    await expect(
      inTransaction(world.api, async (db) => {
        await insertJob(db, { id: order.id, courseId: TEST_COURSE });
        throw failure;
      }),
    ).rejects.toBe(failure);
    expect(await eventsOf(order.id)).toEqual([]);
  });

  test('a dead job is a failed order with its reason', async () => {
    const job = await insertTestJob(world);
    await bury(world.orchestrator, job.id, 'paid', 'not_enrolled', 'somebody@mail.example is unknown');
    const [, failed] = await eventsOf(job.order_id);
    expect(failed?.type).toBe('order.failed');
    expect(JSON.parse(failed?.body ?? '')).toMatchObject({ data: { status: 'failed', reason: 'not_enrolled' } });
    expect(failed?.body).not.toContain('somebody');
  });

  test('a dead job whose customer was let in is completed, and that once', async () => {
    const job = await testJobIn(world, 'delivering');
    await world.owner.query(
      `INSERT INTO deliveries (job_id, granted_to, permission_id, granted_at)
       SELECT $1, email, 'p', now() FROM orders WHERE id = $2`,
      [job.id, job.order_id],
    );
    await bury(world.orchestrator, job.id, 'delivering', 'mail_refused', '');
    await world.owner.query(
      `UPDATE jobs SET state = 'paid', dead_reason = NULL, redrives = redrives + 1 WHERE id = $1`,
      [job.id],
    );
    await bury(world.orchestrator, job.id, 'paid', 'cancelled', '');
    expect((await eventsOf(job.order_id)).map(({ type }) => type)).toEqual(['order.paid', 'order.completed']);
  });

  test('without an endpoint nothing is written; with a disabled one everything is', async () => {
    await switchShopEndpoint(world.owner, false, 'a test');
    const written = await insertTestJob(world);
    expect(await eventsOf(written.order_id)).toHaveLength(1);
    expect(await claimShopEvents(world.orchestrator, 10, 30)).toEqual([]);
    expect(await nextShopTryMs(world.orchestrator)).toBeUndefined();
    await world.owner.query('DELETE FROM shop_endpoint');
    const silent = await insertTestJob(world);
    expect(await eventsOf(silent.order_id)).toEqual([]);
  });
});

describe('claiming', () => {
  test('the events of an order go out in their order, those of others beside them', async () => {
    const [one, other] = [await testJobIn(world, 'completed'), await testJobIn(world, 'completed')];
    const first = await claimShopEvents(world.orchestrator, 10, 30);
    expect(first.map(({ type }) => type)).toEqual(['order.paid', 'order.paid']);
    expect(await claimShopEvents(world.orchestrator, 10, 30)).toEqual([]);
    expect(await nextShopTryMs(world.orchestrator)).toBeGreaterThan(25_000);
    const [paid] = await eventsOf(one.order_id);
    const claimed = first.find(({ id }) => id === paid?.id);
    await recordShopTry(world.orchestrator, claimed ?? { id: '', tries: 0 }, TRY, { state: 'delivered' });
    const next = await claimShopEvents(world.orchestrator, 10, 30);
    expect(next.map(({ id }) => id)).toEqual([(await eventsOf(one.order_id))[1]?.id]);
    expect((await eventsOf(other.order_id)).map(({ state }) => state)).toEqual(['waiting', 'waiting']);
  });

  test('many at once claim each event once', async () => {
    for (let i = 0; i < 12; i += 1) await insertTestJob(world);
    const claims = await Promise.all(Array.from({ length: 8 }, () => claimShopEvents(world.orchestrator, 4, 30)));
    const ids = claims.flat().map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    const rest = await claimShopEvents(world.orchestrator, 100, 30);
    expect(ids.length + rest.length).toBe(12);
  });

  test('who lets his lease run out writes his try down and moves nothing', async () => {
    await insertTestJob(world);
    const [late] = await claimShopEvents(world.orchestrator, 1, 0);
    const [now] = await claimShopEvents(world.orchestrator, 1, 30);
    if (!late || !now) throw new Error('nothing was claimed');
    expect(now).toMatchObject({ id: late.id, tries: late.tries + 1 });
    expect(await recordShopTry(world.orchestrator, late, TRY, { state: 'delivered' })).toBe(false);
    expect(await recordShopTry(world.orchestrator, now, TRY, { state: 'waiting', delaySeconds: 60 })).toBe(true);
    const { rows } = await world.owner.query('SELECT n FROM shop_deliveries WHERE event_id = $1 ORDER BY n', [now.id]);
    expect(rows).toEqual([{ n: 1 }, { n: 2 }]);
  });

  test('an event is sent again with a full budget, by the API too; one that waits is left alone', async () => {
    await insertTestJob(world);
    const [event] = await claimShopEvents(world.orchestrator, 1, 30);
    if (!event) throw new Error('nothing was claimed');
    const act = await testAct(world.owner);
    expect(await resendShopEvent(world.api, act, event.id)).toBe('waits_already');
    await recordShopTry(world.orchestrator, event, TRY, { state: 'dead' });
    expect(await resendShopEvent(world.api, act, event.id)).toBe('resent');
    expect(await claimShopEvents(world.orchestrator, 1, 30)).toMatchObject([
      { id: event.id, body: event.body, tries: 2, tries_before: 1 },
    ]);
    expect(await resendShopEvent(world.api, act, randomUUID())).toBe('unknown');
  });
});

test.each([
  ['lading_api', 'UPDATE shop_events SET state = state'],
  ['lading_api', `INSERT INTO shop_events (order_id, type, body) VALUES (gen_random_uuid(), 'order.paid', '{}')`],
  ['lading_api', 'SELECT sealed FROM shop_secrets'],
  ['lading_auditor', 'SELECT sealed FROM shop_secrets'],
  ['lading_orchestrator', 'UPDATE shop_events SET body = body'],
  ['lading_orchestrator', 'UPDATE shop_secrets SET sealed = sealed'],
  ['lading_orchestrator', `UPDATE shop_endpoint SET url = 'https://other.example'`],
  ['lading_orchestrator', 'DELETE FROM shop_deliveries'],
] as const)('%s has no right to: %s', async (role, statement) => {
  await expect(database.poolFor(role).query(statement)).rejects.toMatchObject({ code: '42501' });
});

test('not even the owner changes what was tried', async () => {
  await expect(world.owner.query('DELETE FROM shop_deliveries')).rejects.toMatchObject({ code: 'LD003' });
});
