import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { makePool } from '../sql/pool.ts';
import { makeTestDatabase, type TestDatabase } from '../test/database.ts';
import { makeLimit } from './rate-limit.ts';

let database: TestDatabase;
beforeAll(async () => (database = await makeTestDatabase()));
afterAll(() => database.drop());

const limited = { code: 'rate_limited' };

test('the request after the last allowed one is told when to come back, others are not', async () => {
  const limit = makeLimit(database.poolFor('lading_api'), { name: 'a', requests: 2, perSeconds: 60 });
  await limit('203.0.113.7');
  await limit('203.0.113.7');
  await expect(limit('203.0.113.7')).rejects.toMatchObject({ ...limited, headers: { 'Retry-After': '60' } });
  await expect(limit('203.0.113.8')).resolves.toBeUndefined();
});

test('several processes count together, limits of different names apart', async () => {
  const [one, other] = [database.poolFor('lading_api'), database.poolFor('lading_api')];
  const [first, second] = [
    makeLimit(one, { name: 'b', requests: 10, perSeconds: 60 }),
    makeLimit(other, { name: 'b', requests: 10, perSeconds: 60 }),
  ];
  const results = await Promise.allSettled(
    Array.from({ length: 30 }, (_, i) => (i % 2 === 0 ? first : second)('caller')),
  );
  expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(10);
  await expect(makeLimit(one, { name: 'c', requests: 1, perSeconds: 60 })('caller')).resolves.toBeUndefined();
});

test('who is over the limit does not reach Postgres', async () => {
  const pool = makePool({
    connectionString: database.urlFor('lading_api'),
    applicationName: 'test',
    max: 1,
    onError: () => undefined,
  });
  const limit = makeLimit(pool, { name: 'd', requests: 1, perSeconds: 60 });
  await limit('caller');
  await expect(limit('caller')).rejects.toMatchObject(limited);
  await pool.end();
  await expect(limit('caller')).rejects.toMatchObject(limited);
});

test('without Postgres the process counts for itself', async () => {
  const gone = makePool({
    connectionString: 'postgres://nobody@127.0.0.1:1/nothing',
    applicationName: 'test',
    max: 1,
    onError: () => undefined,
  });
  const limit = makeLimit(gone, { name: 'e', requests: 2, perSeconds: 60 });
  await limit('caller');
  await limit('caller');
  await expect(limit('caller')).rejects.toMatchObject(limited);
  await gone.end();
});

test('what has expired is removed by those who come later', async () => {
  const pool = database.poolFor('lading_api');
  await pool.query(`INSERT INTO rate_limits SELECT 'old:' || n, 1, 1 FROM generate_series(1, 100) n`);
  const limit = makeLimit(pool, { name: 'f', requests: 100, perSeconds: 60, clearedEvery: 3 });
  for (let i = 0; i < 3; i += 1) await limit('caller');
  const { rows } = await pool.query(`SELECT key FROM rate_limits WHERE key LIKE 'old:%'`);
  expect(rows).toEqual([]);
});
