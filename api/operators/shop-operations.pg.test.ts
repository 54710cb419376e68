import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createKey, type KeyRole } from '../../sql/api-keys.ts';
import { rotateShopSecret } from '../../sql/shop-secrets.ts';
import { claimShopEvents, recordShopTry, setShopEndpoint } from '../../sql/shop.ts';
import { pay } from '../payments/test-webhook.ts';
import { placeTestOrder, startTestApi, type TestApi } from '../test-setup.ts';

let api: TestApi;
const keys: Partial<Record<KeyRole, string>> = {};
beforeAll(async () => {
  api = await startTestApi();
  const owner = api.database.poolFor('lading_owner');
  for (const role of ['operator', 'auditor', 'shop'] as const)
    keys[role] = (await createKey(owner, { name: `the ${role}`, role, createdBy: 'a test', days: 1 })).key;
  await setShopEndpoint(owner, 'https://shop.example/events', 'a test');
  await rotateShopSecret(owner, { overlapHours: 1, person: 'a test' }, () => ({
    sealed: Buffer.alloc(40),
    keyId: '0'.repeat(16),
  }));
});
afterAll(() => api.stop());

async function call(method: string, path: string, role: KeyRole = 'operator'): Promise<Record<string, unknown>> {
  const response = await fetch(api.url + path, { method, headers: { Authorization: `Bearer ${keys[role]}` } });
  return { status: response.status, ...((await response.json()) as object) };
}
async function paidOrder(): Promise<string> {
  const { code } = await placeTestOrder(api);
  await pay(api, code);
  return code;
}

test('an event, its tries and what was answered are shown; it is sent again, and that is on record', async () => {
  const code = await paidOrder();
  const listed = await call('GET', `/v1/shop/events?orderCode=${code}`);
  expect(listed).toMatchObject({
    status: 200,
    endpoint: { url: 'https://shop.example/events', disabledAt: null },
    events: [{ orderCode: code, type: 'order.paid', state: 'waiting', tries: 0, endedAt: null }],
    nextCursor: null,
  });
  const id = (listed['events'] as { id: string }[])[0]?.id ?? '';
  expect(await call('POST', `/v1/shop/events/${id}/resend`)).toMatchObject({
    status: 409,
    code: 'event_waits_already',
  });
  const claimed = (await claimShopEvents(api.orchestrator, 100, 30)).find((event) => event.id === id);
  const one = { durationMs: 7, status: 500, error: undefined, answer: 'broken' };
  await recordShopTry(api.orchestrator, claimed ?? { id, tries: 0 }, one, { state: 'dead' });
  expect(await call('GET', `/v1/shop/events/${id}`, 'auditor')).toMatchObject({
    status: 200,
    state: 'dead',
    nextTryAt: null,
    body: expect.stringContaining(code),
    deliveries: [{ n: 1, durationMs: 7, status: 500, error: null, answer: 'broken' }],
  });
  expect((await call('POST', `/v1/shop/events/${id}/resend`, 'auditor'))['status']).toBe(403);
  // It is about no order of the shop's.
  for (const [method, path] of [
    ['GET', ''],
    ['POST', '/resend'],
  ] as const)
    expect(await call(method, `/v1/shop/events/${id}${path}`, 'shop')).toMatchObject({ status: 404 });
  expect(await call('GET', `/v1/shop/events?orderCode=${code}`, 'shop')).toMatchObject({ events: [] });
  expect(await call('POST', `/v1/shop/events/${id}/resend`)).toMatchObject({ status: 200, resent: true });
  const { rows } = await api.auditor.query('SELECT action, before FROM changes WHERE subject = $1', [id]);
  expect(rows).toEqual([{ action: 'shop event resend', before: { state: 'dead', tries: 1 } }]);
  expect(await call('POST', `/v1/shop/events/${randomUUID()}/resend`)).toMatchObject({ status: 404 });
});

test('pages go on where the one before ended, and leave nothing out', async () => {
  for (let i = 0; i < 4; i += 1) await paidOrder();
  const all = ((await call('GET', '/v1/shop/events'))['events'] as { id: string }[]).map(({ id }) => id);
  const seen: string[] = [];
  let cursor = '';
  do {
    const page = await call('GET', `/v1/shop/events?limit=2${cursor && `&cursor=${cursor}`}`);
    seen.push(...(page['events'] as { id: string }[]).map(({ id }) => id));
    cursor = (page['nextCursor'] as string | null) ?? '';
  } while (cursor !== '');
  expect(seen).toEqual(all);
  expect(all.length).toBeGreaterThanOrEqual(5);
});
