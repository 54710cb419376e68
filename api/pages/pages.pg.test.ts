import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { DESK, openBrowser, openPage, seriousViolations, takeScreens } from '../../test/browser.ts';
import { startTestApi, type TestApi } from '../test-setup.ts';
import { loadAssets } from './assets.ts';

let api: TestApi;
beforeAll(async () => (api = await startTestApi()));
afterAll(() => api.stop());

const BROWSER = { Accept: 'text/html,application/xhtml+xml,*/*;q=0.8' };

test('the start page is read in a browser without a complaint, and axe finds nothing serious in it', async () => {
  const browser = await openBrowser();
  try {
    const page = await openPage(browser);
    const response = await page.goto(api.url);
    expect(response?.status()).toBe(200);
    expect(await page.title()).toBe('Đặt khóa học · Lading');
    expect(await seriousViolations(page)).toEqual([]);
    expect(page.complaints).toEqual([]);
    const atDesk = await openPage(browser, DESK);
    await atDesk.goto(`${api.url}/nothing`);
    expect(await seriousViolations(atDesk)).toEqual([]);
    await takeScreens(atDesk, 'not-found');
    // What the API says of itself is a page too.
    const docs = await openPage(browser, DESK);
    expect((await docs.goto(`${api.url}/docs`))?.status()).toBe(200);
    expect(await seriousViolations(docs)).toEqual([]);
    expect(docs.complaints).toEqual([]);
  } finally {
    await browser.close();
  }
});

test('a page is Vietnamese, English when asked, and stays so', async () => {
  const asked = await fetch(`${api.url}/?lang=en`);
  expect(await asked.text()).toContain('<html lang="en">');
  const cookie = asked.headers.get('set-cookie') ?? '';
  expect(cookie).toMatch(/^lang=en; .*samesite=lax; httponly/i);
  const again = await fetch(api.url, { headers: { Cookie: 'lang=en' } });
  expect(await again.text()).toContain('<html lang="en">');
  expect(again.headers.get('content-language')).toBe('en');
  for (const lang of ['fr', '__proto__', ''])
    expect(await (await fetch(`${api.url}/?lang=${lang}`)).text()).toContain('<html lang="vi">');
});

test('a page may load from its own host only, and tells nobody where its reader came from', async () => {
  const { headers } = await fetch(api.url);
  const policy = headers.get('content-security-policy') ?? '';
  expect(policy).toContain("default-src 'none'; script-src 'self'; style-src 'self';");
  expect(policy).not.toContain('unsafe');
  expect(headers.get('referrer-policy')).toBe('no-referrer');
  expect(headers.get('cache-control')).toBe('no-store');
});

test('assets come compressed and may be kept for ever; another hash or name is not there', async () => {
  const { folder, url } = loadAssets();
  for (const [asked, got] of [
    ['br, gzip', 'br'],
    ['gzip', 'gzip'],
    ['identity', null],
  ] as const) {
    const response = await fetch(api.url + url('base.css'), { headers: { 'Accept-Encoding': asked } });
    expect(response.headers.get('content-encoding')).toBe(got);
    expect(response.headers.get('cache-control')).toContain('immutable');
    expect(await response.text()).toContain('color-scheme');
  }
  for (const path of ['/assets/0000000000000000/base.css', `${folder}/nothing.css`, `${folder}/tsconfig.json`])
    expect((await fetch(api.url + path)).status).toBe(404);
});

test('who asks for a page is refused with a page, a program with problem details', async () => {
  const page = await fetch(`${api.url}/nothing`, { headers: BROWSER });
  expect(page.status).toBe(404);
  expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8');
  expect(await page.text()).toContain('Không tìm thấy trang');
  for (const [path, accept] of [
    ['/nothing', '*/*'],
    ['/v1/nothing', BROWSER.Accept],
  ] as const) {
    const answer = await fetch(api.url + path, { headers: { Accept: accept } });
    expect(answer.headers.get('content-type')).toContain('application/problem+json');
  }
});

test('each refusal is a page with its own words; what went wrong on our side tells nobody why', async () => {
  const own = await startTestApi();
  try {
    const form = { method: 'POST', headers: BROWSER };
    const asked = async (path: string, init: RequestInit = { headers: BROWSER }): Promise<[number, string]> => {
      const answer = await fetch(own.url + path, init);
      return [answer.status, /<h1>(.*?)<\/h1>/.exec(await answer.text())?.[1] ?? 'no page'];
    };
    expect(await asked('/', { ...form, body: 'x'.repeat(20_000) })).toEqual([415, 'Yêu cầu không hợp lệ']);
    expect(await asked('/', { ...form, body: new URLSearchParams({ email: 'x'.repeat(20_000) }) })).toEqual([
      413,
      'Yêu cầu không hợp lệ',
    ]);
    expect(await asked('/', { ...form, method: 'DELETE' })).toEqual([405, 'Yêu cầu không hợp lệ']);
    await own.database.poolFor('lading_owner').query('ALTER TABLE courses RENAME TO gone');
    expect(await asked('/?lang=en')).toEqual([500, 'Something went wrong on our side']);
  } finally {
    await own.stop();
  }
});
