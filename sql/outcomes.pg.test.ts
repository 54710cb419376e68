import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { makeTestDatabase, type TestDatabase } from '../test/database.ts';
import { OUTCOMES } from './outcomes.ts';

let database: TestDatabase;
beforeAll(async () => (database = await makeTestDatabase()));
afterAll(() => database.drop());

test('an attempt can be given exactly the outcomes of the table', async () => {
  const { rows } = await database.poolFor('lading_owner').query<{ words: string }>(
    `SELECT pg_get_constraintdef(oid) AS words FROM pg_constraint
     WHERE conrelid = 'attempts'::regclass AND conname = 'attempts_outcome_check'`,
  );
  const allowed = [...(rows[0]?.words ?? '').matchAll(/'([a-z_]+)'::text/g)].map(([, name = '']) => name);
  expect(allowed.toSorted()).toEqual(Object.keys(OUTCOMES).toSorted());
});
