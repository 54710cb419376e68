import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { createKey, revokeKey, type KeyRole } from '../../../sql/api-keys.ts';
import { SESSIONS_OF_KEY_MAX } from '../../../sql/console-sessions.ts';
import type { Pool } from '../../../sql/pool.ts';
import { startTestApi, type TestApi } from '../../test-setup.ts';
import { LOG_INS_PER_FIVE_MINUTES } from './login.ts';
import { logIn, OWN_ORIGIN, visit } from './test-console.ts';

let api: TestApi;
let owner: Pool;
beforeAll(async () => {
  api = await startTestApi();
  owner = api.database.poolFor('lading_owner');
});
afterAll(() => api.stop());
let addresses = 0;
/** Log-ins are counted by address. */
beforeEach(async () => {
  addresses += 1;
  await owner.query('DELETE FROM rate_limits');
});

const newKey = (role: KeyRole = 'operator') =>
  createKey(owner, { name: `${role} ${addresses}`, role, createdBy: 'a test', days: 1 });

test('a key opens a session: its cookie cannot be read, sent from elsewhere, or found in the database', async () => {
  const { key } = await newKey();
  const opened = await logIn(api, key);
  expect([opened.status, opened.headers.get('location')]).toEqual([303, '/console']);
  const cookie = opened.headers.get('set-cookie') ?? '';
  expect(cookie).toMatch(/^lading_console=[\w-]{43}; path=\/console; samesite=strict; secure; httponly$/i);
  const token = /=([\w-]{43});/.exec(cookie)?.[1] ?? '';
  const { rows } = await owner.query<{ row: string }>('SELECT s::text AS row FROM console_sessions s');
  expect(rows.map(({ row }) => row).join()).not.toContain(token);
  const page = await visit(api, key);
  expect(await page.get('/console')).toMatchObject({ status: 200 });
});

test('without a session there is no page, and nothing is done', async () => {
  const response = await fetch(`${api.url}/console`, { redirect: 'manual', headers: { Accept: 'text/html' } });
  expect([response.status, response.headers.get('location')]).toEqual([303, '/console/login']);
  const posted = await fetch(`${api.url}/console/logout`, {
    method: 'POST',
    redirect: 'manual',
    headers: { Origin: OWN_ORIGIN, Cookie: `lading_console=${'A'.repeat(43)}` },
    body: new URLSearchParams({ token: 'x' }),
  });
  expect([posted.status, posted.headers.get('location')]).toEqual([303, '/console/login']);
});

test.each([
  ['no key', 'nothing', 401],
  ['a key that never was', `lk_aaaaaaaa_${'A'.repeat(43)}`, 401],
])('%s opens nothing', async (_, key, status) => {
  const refused = await logIn(api, key);
  expect(refused.status).toBe(status);
  expect(refused.headers.get('set-cookie')).toBeNull();
  expect(await refused.text()).toContain('role="alert"');
});

test('the key of a shop opens no console', async () => {
  const refused = await logIn(api, (await newKey('shop')).key);
  expect([refused.status, refused.headers.get('set-cookie')]).toEqual([403, null]);
});

test('after the log-in one comes to the page that one wanted, and nowhere outside', async () => {
  const { key } = await newKey();
  const goes = async (next: string): Promise<string | null> => {
    const response = await fetch(`${api.url}/console/login`, {
      method: 'POST',
      redirect: 'manual',
      headers: { Origin: OWN_ORIGIN },
      body: new URLSearchParams({ key, next }),
    });
    return response.headers.get('location');
  };
  expect(await goes('/console/jobs?state=dead')).toBe('/console/jobs?state=dead');
  for (const elsewhere of [
    'https://evil.example',
    '//evil.example',
    '/console//evil',
    '/docs',
    '/consolex',
    '/console\\x',
  ])
    expect(await goes(elsewhere)).toMatch(/^\/console(\/\/evil)?$/);
});

test('a session ends with its log-out, with its key, when idle, and at its limit', async () => {
  const endings: [string, (prefix: string) => Promise<unknown>][] = [
    ['revoked', (prefix) => revokeKey(owner, prefix, 'a test')],
    ['idle', () => owner.query(`UPDATE console_sessions SET last_used_at = now() - interval '61 minutes'`)],
    ['at its limit', () => owner.query('UPDATE console_sessions SET ends_at = now()')],
  ];
  for (const [, end] of endings) {
    const { key, prefix } = await newKey();
    const visitor = await visit(api, key);
    expect((await visitor.get('/console')).status).toBe(200);
    await end(prefix);
    expect((await visitor.get('/console')).status).toBe(303);
  }
  const visitor = await visit(api, (await newKey()).key);
  const out = await visitor.post('/console/logout');
  expect(out.headers.get('location')).toBe('/console/login');
  expect(out.headers.get('set-cookie')).toMatch(/lading_console=; .*expires=Thu, 01 Jan 1970/);
  expect((await visitor.get('/console')).status).toBe(303);
});

test('a form that is not ours is refused: from another site, of another session, without a token', async () => {
  const { key } = await newKey();
  const visitor = await visit(api, key);
  const other = await visit(api, key);
  const otherToken = /name="token" value="([^"]+)"/.exec((await other.get('/console')).text)?.[1] ?? '';
  const tries = [
    visitor.post('/console/logout', {}, { Origin: 'https://evil.example' }),
    visitor.post('/console/logout', {}, { 'Sec-Fetch-Site': 'cross-site' }),
    visitor.post('/console/logout', {}, { 'Sec-Fetch-Site': 'same-site' }),
    visitor.post('/console/logout', { token: otherToken }),
    visitor.post('/console/logout', { token: '' }),
  ];
  for (const refused of await Promise.all(tries)) {
    expect(refused.status).toBe(403);
    expect(await refused.text()).toContain('form_not_ours');
  }
  expect((await visitor.get('/console')).status).toBe(200);
  expect((await logIn(api, key, { Origin: 'https://evil.example' })).status).toBe(403);
});

test('a key has so many sessions at once; one more ends the oldest', async () => {
  const { key } = await newKey();
  const visitors = [];
  for (let i = 0; i < SESSIONS_OF_KEY_MAX; i += 1) visitors.push(await visit(api, key));
  expect((await visitors[0]?.get('/console'))?.status).toBe(200);
  await visit(api, key);
  const statuses = await Promise.all(visitors.map(async (one) => (await one.get('/console')).status));
  expect(statuses).toEqual([303, ...Array.from({ length: SESSIONS_OF_KEY_MAX - 1 }, () => 200)]);
});

test('the role of the API sees digests, and ends sessions; it cannot prolong them or open one for longer', async () => {
  const asApi = api.database.poolFor('lading_api');
  for (const statement of [
    `UPDATE console_sessions SET ends_at = now() + interval '1 year'`,
    `INSERT INTO console_sessions (key_id, digest, ends_at) SELECT id, sha256('x'), now() + interval '1 year' FROM api_keys`,
    'DELETE FROM console_sessions',
    'UPDATE reads SET at = now()',
  ])
    await expect(asApi.query(statement)).rejects.toMatchObject({ code: '42501' });
  await expect(api.auditor.query('SELECT digest FROM console_sessions')).rejects.toMatchObject({ code: '42501' });
});

// Last: who is over the limit stays so.
test('log-ins are counted: one too many has to wait', async () => {
  const { key } = await newKey();
  for (let i = 0; i < LOG_INS_PER_FIVE_MINUTES; i += 1) expect((await logIn(api, 'nothing')).status).toBe(401);
  const refused = await logIn(api, key);
  expect(refused.status).toBe(429);
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
});
