import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { makeTestDatabase, type TestDatabase } from '../test/database.ts';
import { figures } from './figures.ts';
import { hear } from './hear.ts';
import { keepNotUnderstood } from './payments.ts';

const NOTHING = { downloads: 0, steps: 0, oldest_seconds: 0, stuck: 0, paused: false, unplaced: 0 };

let database: TestDatabase;
beforeAll(async () => {
  database = await makeTestDatabase();
});
afterAll(() => database.drop());

test('an orchestrator counts what waits in the inbox, hears of it, and cannot read it', async () => {
  const orchestrator = database.poolFor('lading_orchestrator');
  expect(await figures(orchestrator)).toEqual(NOTHING);
  const hearing = await hear(database.urlFor('lading_orchestrator'), ['lading_jobs']);
  const heard = new Promise<string>((resolve) => hearing.onMoved(resolve));
  await keepNotUnderstood(database.poolFor('lading_api'), {
    source: 'sepay_webhook',
    problem: 'not_json',
    wrongFields: [],
    raw: Buffer.from('?'),
  });
  expect(await heard).toBe('');
  await hearing.close();
  expect(await figures(orchestrator)).toEqual({ ...NOTHING, unplaced: 1 });
  await expect(orchestrator.query('SELECT FROM payment_inbox')).rejects.toMatchObject({ code: '42501' });
  await expect(database.poolFor('lading_auditor').query('SELECT count_unplaced()')).rejects.toMatchObject({
    code: '42501',
  });
});
