import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { putCourse } from '../../../sql/courses.ts';
import { openBrowser, openPage, PHONE, seriousViolations, takeScreens } from '../../../test/browser.ts';
import { COURSE, countRows, startTestApi, type TestApi } from '../../test-setup.ts';

let api: TestApi;
beforeAll(async () => (api = await startTestApi()));
afterAll(() => api.stop());

const post = (fields: Record<string, string>, at: TestApi = api): Promise<Response> =>
  fetch(at.url, {
    method: 'POST',
    headers: { Accept: 'text/html' },
    body: new URLSearchParams({ key: randomUUID(), courseId: COURSE.id, email: 'reader@mail.example', ...fields }),
    redirect: 'manual',
  });
const orders = async (): Promise<number> => (await countRows(api))['orders'] ?? -1;

test('a customer orders on a phone, with and without JavaScript, and lands on his order', async () => {
  const owner = api.database.poolFor('lading_owner');
  const rights = { kind: 'own', evidence: 'https://lading.example/rights', recordedBy: 'test' } as const;
  for (const [id, title, price_vnd] of [
    ['bill', 'Đọc vận đơn đường biển', 299_000],
    ['incoterms', 'Incoterms 2020 cho người mới bắt đầu, với bài tập và lời giải', 1_250_000],
  ] as const)
    await putCourse(owner, { ...COURSE, id, title, price_vnd }, rights);
  const browser = await openBrowser();
  try {
    for (const javaScriptEnabled of [true, false]) {
      const page = await openPage(browser, { ...PHONE, javaScriptEnabled });
      await page.goto(api.url);
      await page.getByText(COURSE.title).waitFor();
      expect(await page.getByText('Without rights').count()).toBe(0);
      await page.getByRole('radio', { name: COURSE.title }).check();
      await page.getByRole('textbox').fill('Reader@mail.example');
      if (javaScriptEnabled) {
        expect(await seriousViolations(page)).toEqual([]);
        await takeScreens(page, 'shop');
      }
      await page.getByRole('button', { name: 'Đặt hàng và nhận mã QR' }).click();
      await page.waitForURL(/\/o\/[\w-]{43}$/);
      await page.getByText('Quét mã để thanh toán').waitFor();
      expect(page.complaints).toEqual([]);
    }
  } finally {
    await browser.close();
  }
});

test('an order is placed by keyboard alone', async () => {
  const browser = await openBrowser();
  try {
    const page = await openPage(browser);
    await page.goto(`${api.url}/?lang=en`);
    await page.getByRole('link', { name: 'Skip to the content' }).focus();
    await page.keyboard.press('Enter');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Space');
    await page.keyboard.press('Tab');
    await page.keyboard.type('reader@mail.example');
    await page.keyboard.press('Enter');
    await page.getByText('Scan to pay').waitFor();
    expect(await seriousViolations(page)).toEqual([]);
  } finally {
    await browser.close();
  }
});

test('a form that is posted twice is one order; for another wish its key is not good', async () => {
  const before = await orders();
  const key = randomUUID();
  const [first, again] = [await post({ key }), await post({ key })];
  expect([first.status, again.status]).toEqual([303, 303]);
  expect(first.headers.get('location')).toMatch(/^\/o\/[\w-]{43}$/);
  expect(again.headers.get('location')).toBe(first.headers.get('location'));
  const other = await post({ key, email: 'other@mail.example' });
  expect(other.status).toBe(422);
  const page = await other.text();
  expect(page).toContain('đã được dùng để đặt một đơn khác');
  const freshKey = /name="key" value="([^"]+)"/.exec(page)?.[1] ?? '';
  expect((await post({ key: freshKey, email: 'other@mail.example' })).status).toBe(303);
  expect(await orders()).toBe(before + 2);
});

describe('what is wrong is named beside its field, with the way out, and what was typed stays', () => {
  test.each([
    [{ email: 'nobody' }, 422, 'id="email-error">Địa chỉ này không hợp lệ', 'value="nobody"'],
    [{ email: '' }, 422, 'id="email-error"', 'aria-describedby="email-error email-hint"'],
    [{ courseId: '' }, 422, 'id="courses-error">Hãy chọn một khóa học', 'value="reader@mail.example"'],
    [{ courseId: 'unheard-of' }, 404, 'không còn đặt được', 'value="reader@mail.example"'],
    [{ courseId: 'unlicensed' }, 409, 'không còn đặt được', 'value="reader@mail.example"'],
  ])('%j', async (fields, status, error, kept) => {
    const before = await orders();
    const answer = await post(fields);
    const page = await answer.text();
    expect(answer.status).toBe(status);
    expect(page).toContain(error);
    expect(page).toContain(kept);
    expect(page).toContain('role="alert"');
    expect(await orders()).toBe(before);
  });

  test('a key that no form of ours has is a page, and nothing is ordered', async () => {
    const answer = await post({ key: 'short' });
    expect([answer.status, answer.headers.get('content-type')]).toEqual([400, 'text/html; charset=utf-8']);
  });
});

test('the limits of the API hold here too, and say when to come back', async () => {
  const strict = await startTestApi({ ordersPerMinute: 1 });
  try {
    expect((await post({}, strict)).status).toBe(303);
    const refused = await post({}, strict);
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(await refused.text()).toContain('Hãy thử lại sau');
  } finally {
    await strict.stop();
  }
});

test('without anything to order the page says so', async () => {
  const empty = await startTestApi();
  try {
    await empty.database.poolFor('lading_owner').query('UPDATE courses SET listed = false');
    const page = await (await fetch(empty.url)).text();
    expect(page).toContain('Chưa có khóa học nào');
    expect(page).not.toContain('<form');
  } finally {
    await empty.stop();
  }
});

test('what a title or an address says stays text', async () => {
  const evil = '"><script>alert(1)</script><img src=x onerror=alert(2)>';
  const owner = api.database.poolFor('lading_owner');
  await putCourse(
    owner,
    { ...COURSE, id: 'evil', title: evil },
    { kind: 'own', evidence: 'https://lading.example/rights', recordedBy: 'test' },
  );
  const answers = [await fetch(`${api.url}/?course=evil&q=${encodeURIComponent(evil)}`), await post({ email: evil })];
  const order = await post({ courseId: 'evil' });
  answers.push(await fetch(api.url + (order.headers.get('location') ?? '')));
  for (const answer of answers) {
    const page = await answer.text();
    expect(page).toContain('&lt;script>alert(1)');
    expect(page).not.toMatch(/<script>|<img src=x/);
  }
});

test('among many courses one is found by its name without accents', async () => {
  const owner = api.database.poolFor('lading_owner');
  const rights = { kind: 'own', evidence: 'https://lading.example/rights', recordedBy: 'test' } as const;
  for (let n = 0; n < 8; n += 1)
    await putCourse(owner, { ...COURSE, id: `many-${n}`, title: `Khóa ${'ăâđêôơư'[n] ?? 'x'}` }, rights);
  const page = await (await fetch(`${api.url}/?q=khoa+d`)).text();
  expect([page.includes('Khóa đ'), page.includes('Khóa ê'), page.includes('role="search"')]).toEqual([
    true,
    false,
    true,
  ]);
});
