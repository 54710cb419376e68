/** Orders that shops place with their keys, and who sees which. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createKey, rotateKey, type KeyRole } from '../../sql/api-keys.ts';
import type { Pool } from '../../sql/pool.ts';
import { COURSE, placeTestOrder, postOrder, startTestApi, type TestApi } from '../test-setup.ts';

let api: TestApi;
let owner: Pool;
beforeAll(async () => {
  api = await startTestApi({ ordersPerMinute: 5 });
  owner = api.database.poolFor('lading_owner');
});
afterAll(() => api.stop());

const keyOf = (name: string, role: KeyRole = 'shop') => createKey(owner, { name, role, createdBy: 'a test', days: 1 });
const wish = { courseId: COURSE.id, email: 'reader@mail.example' };
const placeWith = (key: string, headers: Record<string, string> = {}): Promise<Response> =>
  postOrder(api, wish, { Authorization: `Bearer ${key}`, 'Idempotency-Key': randomUUID(), ...headers });
type Line = { code: string; shop: string | null };
async function seenBy(key: string, query = ''): Promise<{ orders: Line[]; nextCursor: string | null }> {
  const response = await fetch(`${api.url}/v1/orders?${query}`, { headers: { Authorization: `Bearer ${key}` } });
  return (await response.json()) as { orders: Line[]; nextCursor: string | null };
}

test('a shop sees the orders of its keys, also of those before, and no others; operators and auditors see all', async () => {
  const [one, two, auditor] = [await keyOf('shop one'), await keyOf('shop two'), await keyOf('an auditor', 'auditor')];
  const placed = async (key: string) => ((await (await placeWith(key)).json()) as { code: string }).code;
  const [first, second, other] = [await placed(one.key), await placed(one.key), await placed(two.key)];
  const { code: alone } = await placeTestOrder(api);
  const fresh = await rotateKey(owner, one.prefix, { createdBy: 'a test', days: 1, overlapHours: 1 });
  for (const key of [one.key, fresh?.key ?? ''])
    expect((await seenBy(key)).orders.map(({ code }) => code)).toEqual([second, first]);
  expect((await seenBy(two.key)).orders).toMatchObject([{ code: other, shop: 'shop two' }]);
  expect((await seenBy(two.key, `code=${first}`)).orders).toEqual([]);
  expect((await seenBy(auditor.key)).orders.map(({ code }) => code)).toEqual([alone, other, second, first]);

  const pages: string[] = [];
  let cursor: string | null = '';
  while (cursor !== null) {
    const page: Awaited<ReturnType<typeof seenBy>> = await seenBy(
      auditor.key,
      `status=pending&email=READER@mail.example&limit=1${cursor && `&cursor=${cursor}`}`,
    );
    pages.push(...page.orders.map(({ code }) => code));
    ({ nextCursor: cursor } = page);
  }
  expect(pages).toEqual([alone, other, second, first]);
  for (const query of ['status=paid', 'courseId=other', 'email=another@mail.example', 'email=no-address'])
    expect((await seenBy(auditor.key, query)).orders).toEqual([]);
});

test('a key that is given is looked at, and only a shop places orders with one', async () => {
  const before = (await seenBy((await keyOf('x', 'auditor')).key)).orders.length;
  expect((await placeWith('lk_nothing')).status).toBe(401);
  for (const role of ['operator', 'auditor'] as const)
    expect((await placeWith((await keyOf(`an ${role}`, role)).key)).status).toBe(403);
  expect((await seenBy((await keyOf('y', 'auditor')).key)).orders).toHaveLength(before);
});

test('the same wish with the same key of one shop is one order, and of another is another', async () => {
  const [one, two] = [await keyOf('shop three'), await keyOf('shop four')];
  const once = { 'Idempotency-Key': randomUUID() };
  const [first, again, foreign] = [
    await placeWith(one.key, once),
    await placeWith(one.key, once),
    await placeWith(two.key, once),
  ];
  expect([first.status, again.status, foreign.status]).toEqual([201, 200, 201]);
  const text = await first.text();
  expect(await again.text()).toBe(text);
  expect(await foreign.text()).not.toBe(text);
});

test('a shop, whose orders all come from one address, is limited by its key', async () => {
  const { key } = await keyOf('busy shop');
  const statuses = [];
  for (let i = 0; i < 7; i += 1) statuses.push((await placeWith(key)).status);
  expect(new Set(statuses)).toEqual(new Set([201]));
  const strangers = [];
  for (let i = 0; i < 7; i += 1) strangers.push((await postOrder(api, wish)).status);
  expect(strangers).toContain(429);
});
