import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { makeTestDatabase, type TestDatabase } from '../test/database.ts';
import { atOnce, inTransaction, makePool, maybeOne, type Pool } from './pool.ts';

let database: TestDatabase;
/** One that pipelines, and one that does not. */
let pools: [Pool, Pool];
beforeAll(async () => {
  database = await makeTestDatabase();
  const owner = database.poolFor('lading_owner');
  await owner.query('CREATE TABLE numbers (n int PRIMARY KEY)');
  await owner.query('GRANT SELECT, INSERT ON numbers TO lading_api, lading_orchestrator');
  pools = [database.poolFor('lading_api'), database.poolFor('lading_orchestrator')];
});
afterAll(() => database.drop());

const insert = (pool: Parameters<typeof maybeOne>[0], n: number) => () =>
  maybeOne(pool, 'INSERT INTO numbers VALUES ($1::int) RETURNING n', [n]);
const count = async (): Promise<number> =>
  (await pools[0].query<{ n: number }>('SELECT count(*)::int AS n FROM numbers')).rows[0]?.n ?? -1;

test.each([0, 1] as const)(
  'statements sent together run in their order, each seeing those before it (pool %d)',
  async (at) => {
    const before = await count();
    const seen = await inTransaction(pools[at], (db) =>
      atOnce<[unknown, { n: number } | undefined, unknown]>(
        db,
        insert(db, 10 * at + 1),
        () => maybeOne<{ n: number }>(db, 'SELECT count(*)::int AS n FROM numbers', []),
        insert(db, 10 * at + 2),
      ),
    );
    expect(seen[1]).toEqual({ n: before + 1 });
    expect(await count()).toBe(before + 2);
  },
);

test.each([0, 1] as const)(
  'one that fails takes all with it, those behind it too, and the connection stays good (pool %d)',
  async (at) => {
    const before = await count();
    for (let i = 0; i < 12; i += 1) {
      const failing = inTransaction(pools[at], (db) =>
        atOnce(db, insert(db, 1_000), insert(db, 1_000), insert(db, 1_001)),
      );
      await expect(failing).rejects.toMatchObject({ code: '23505' });
    }
    expect(await count()).toBe(before);
    expect(await inTransaction(pools[at], async (db) => (await insert(db, 2_000 + at)()) as object)).toEqual({
      n: 2_000 + at,
    });
  },
);

test('a work that fails before it sends anything leaves no transaction open', async () => {
  await expect(inTransaction(pools[0], () => Promise.reject(new Error('early')))).rejects.toThrow('early');
  const { rows } = await pools[0].query(
    `SELECT count(*)::int AS n FROM pg_stat_activity WHERE state LIKE 'idle in%' AND datname = current_database()`,
  );
  expect(rows).toEqual([{ n: 0 }]);
});

test.each([false, true])('a connection that goes silent is left for a fresh one (pipeline %s)', async (pipeline) => {
  const target = new URL(database.urlFor('lading_api'));
  let links: [Socket, Socket][] = [];
  const proxy = createServer((client) => {
    const server = connect(Number(target.port), target.hostname);
    client.pipe(server).pipe(client);
    for (const socket of [client, server]) socket.on('error', () => undefined);
    links.push([client, server]);
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => proxy.once('listening', resolve));
  const url = new URL(target);
  url.hostname = '127.0.0.1';
  url.port = String((proxy.address() as AddressInfo).port);
  const silent = makePool({
    connectionString: url.href,
    applicationName: 'test',
    max: 1,
    pipeline,
    answerLimitMs: 300,
    onError: () => undefined,
  });
  await silent.query('SELECT 1');
  // As a firewall that forgot it: what is sent goes nowhere, and nobody says so.
  for (const [client, server] of links) {
    client.unpipe(server);
    server.unpipe(client);
    client.resume();
  }
  const silenced = links;
  links = [];
  await expect(inTransaction(silent, (db) => db.query('SELECT 1'))).rejects.toThrow();
  expect(links).toEqual([]);
  expect((await silent.query<{ n: number }>('SELECT 2 AS n')).rows).toEqual([{ n: 2 }]);
  await silent.end();
  for (const socket of [...silenced, ...links].flat()) socket.destroy();
  proxy.close();
});
