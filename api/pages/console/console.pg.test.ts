/** The console in a real browser, on a night with everything in it. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import type { Browser } from 'playwright-core';
import { DESK, openBrowser, openPage, PHONE, seriousViolations, takeScreens } from '../../../test/browser.ts';
import { EVIL, startNight, storeLog, type Night } from './test-night.ts';
import { insertTestOrder, runningTestAttempt } from '../../../test/orders.ts';
import { madeLog, storeChunks } from '../../../cli/test-log.ts';
import { visit, type Visitor } from './test-console.ts';
import { pay } from '../../payments/test-webhook.ts';
import { placeTestOrder } from '../../test-setup.ts';

type Page = Awaited<ReturnType<typeof openPage>>;

let night: Night;
let browser: Browser;
beforeAll(async () => {
  night = await startNight();
  browser = await openBrowser();
}, 60_000);
afterAll(async () => {
  await browser.close();
  await night.stop();
});
// Log-ins are counted by address.
beforeEach(() => night.world.owner.query('DELETE FROM rate_limits'));

async function logIn(role: 'operator' | 'auditor', options = DESK): Promise<Page> {
  const page = await openPage(browser, options);
  await page.goto(`${night.api.url}/console`);
  await page.waitForURL(/\/console\/login$/);
  await page.getByLabel('Khóa API').fill(night.keys[role]);
  await page.getByRole('button', { name: 'Đăng nhập' }).click();
  await page.waitForURL(/\/console$/);
  return page;
}
const at = (path: string): string => `${night.api.url}/console${path}`;
const pages = (): Record<string, string> => ({
  overview: '',
  jobs: '/jobs',
  job: `/jobs/${night.failed.code}`,
  log: `/jobs/${night.failed.code}/logs?attempt=1&verify=1`,
  orders: '/orders',
  'dead-letters': '/dead-letters?deadReason=attempts_exhausted',
  payments: '/payments',
  courses: '/courses',
  engines: '/engines',
  audit: '/audit',
  'audit-reads': '/audit?tab=reads',
  'audit-sessions': '/audit?tab=sessions',
});
const drawn = (page: Page): Promise<void> =>
  page.locator('[data-plot]:not(:has(canvas))').first().waitFor({ state: 'detached' });
/** Until an expression is true in the page, whose policy lets no text be run from within. */
async function until(page: Page, expression: string, limitMs = 15_000): Promise<void> {
  const giveUpAt = Date.now() + limitMs;
  while (!(await page.evaluate(expression).catch(() => false)))
    if (Date.now() > giveUpAt) throw new Error(`${expression}: not within ${limitMs} ms`);
}

test('every page is whole for its readers: nothing complains, axe finds nothing serious, and nothing in it runs', async () => {
  const page = await logIn('operator');
  for (const [name, path] of Object.entries(pages())) {
    const response = await page.goto(at(path));
    expect([name, response?.status()]).toEqual([name, 200]);
    await drawn(page);
    expect([name, await seriousViolations(page)]).toEqual([name, []]);
    await takeScreens(page, `console-${name}`);
    expect([name, await page.evaluate('window.pwned')]).toEqual([name, undefined]);
    expect([name, page.complaints.splice(0)]).toEqual([name, []]);
  }
  await page.getByRole('button', { name: 'Đăng xuất' }).click();
  await page.waitForURL(/\/console\/login$/);
  expect(await seriousViolations(page)).toEqual([]);
  await takeScreens(page, 'console-log-in');
}, 60_000);

test('what a job or a customer wrote is shown as it was written, and is never markup', async () => {
  const page = await logIn('operator');
  for (const path of [`/jobs/${night.failed.code}`, `/jobs/${night.failed.code}/logs?attempt=1`, '/payments']) {
    await page.goto(at(path));
    await page.getByText(EVIL).first().waitFor();
    expect(await page.locator('main img, main script').count()).toBe(0);
    expect(await page.evaluate('window.pwned')).toBeUndefined();
  }
  await page.goto(at(`/jobs/${night.failed.code}/logs?search=${encodeURIComponent('<img src=x')}`));
  expect(await page.locator('mark').allTextContents()).toEqual(['<img src=x']);
});

test('an operator finds a failed job, reads its log, and sends it on its way again', async () => {
  const page = await logIn('operator');
  await page.getByRole('link', { name: 'Công việc' }).click();
  await page.getByLabel('Trạng thái').selectOption('dead');
  await page.getByRole('button', { name: 'Lọc' }).click();
  await page.getByRole('link', { name: night.failed.code }).click();
  await page.getByText('app_temporary').first().waitFor();
  await page.getByRole('link', { name: 'Nhật ký' }).last().click();
  await page.getByLabel('Tìm trong nhật ký').fill('error');
  await page.getByRole('button', { name: 'Tìm' }).click();
  const found = page.locator('.log li');
  await found.first().waitFor();
  expect((await found.allTextContents()).join('\n')).toContain('four times in a row');
  await found.last().getByRole('link').click();
  await page.waitForURL(/#L\d+$/);
  expect(await page.locator('.log li:target').count()).toBe(1);
  await page.goto(at(`/jobs/${night.failed.code}`));
  await page.locator('summary', { hasText: 'Chạy lại' }).click();
  await page.getByLabel('Lý do').fill('the provider is back');
  await page.getByRole('button', { name: 'Chạy lại' }).click();
  await page.getByText('the provider is back').first().waitFor();
  const { rows } = await night.api.auditor.query('SELECT state, redrives FROM jobs WHERE id = $1', [
    night.failed.job.id,
  ]);
  expect(rows).toEqual([{ state: 'paid', redrives: 1 }]);
  await page.goto(at('/audit'));
  await page.getByRole('cell', { name: 'job retry' }).waitFor();
  expect(page.complaints).toEqual([]);
});

test('a log is downloaded as text under a name of ours', async () => {
  const page = await logIn('operator');
  const { code, attempt } = night.running;
  await storeLog(night.world, attempt, ['the first line', `a line with ${EVIL}`]);
  await page.goto(at(`/jobs/${code}/logs`));
  await page.getByText('the first line').waitFor();
  const download = await fetch(at(`/jobs/${code}/logs/download?attempt=1`), {
    headers: { Cookie: (await page.context().cookies(at(''))).map(({ name, value }) => `${name}=${value}`).join('; ') },
  });
  expect(download.headers.get('content-disposition')).toBe(`attachment; filename="log-${code}-1.txt"`);
  expect(await download.text()).toContain('out the first line\n');
});

test('a log that goes on is followed live, whatever is said in it', async () => {
  const page = await logIn('operator');
  const { job, attempt } = await runningTestAttempt(night.world);
  const { chunks } = madeLog([['the first line'], [`said later ${EVIL}`]]);
  await storeChunks(night.world.orchestrator, attempt, chunks.slice(0, 1));
  await page.goto(at(`/jobs/${job.id}/logs`));
  await page.getByRole('button', { name: 'Theo dõi trực tiếp' }).click();
  await page.getByText('đang theo dõi trực tiếp').waitFor();
  await storeChunks(night.world.orchestrator, attempt, chunks.slice(1));
  await page.getByText(`said later ${EVIL}`).waitFor();
  expect(await page.locator('#L2 > a').textContent()).toBe('2');
  expect(await page.evaluate('window.pwned')).toBeUndefined();
  expect(page.complaints).toEqual([]);
});

test('dead letters are previewed before they are sent together', async () => {
  const page = await logIn('operator');
  await page.goto(at('/dead-letters?deadReason=no_engine_fits'));
  await page.locator('summary', { hasText: 'Chạy lại hàng loạt' }).click();
  await page.getByLabel('Lý do').last().fill('there is an engine now');
  await page.getByRole('button', { name: 'Chạy lại hàng loạt' }).click();
  await page.getByRole('heading', { name: 'Những công việc này sẽ chạy lại' }).waitFor();
  expect(await page.getByText('would_be_redriven').count()).toBe(1);
  expect(await seriousViolations(page)).toEqual([]);
  await page.getByRole('button', { name: 'Chạy lại tất cả (1)' }).click();
  await page.getByText('redriven', { exact: true }).waitFor();
});

test('money without an order is decided about, and an engine drained', async () => {
  const page = await logIn('operator');
  await page.goto(at('/payments'));
  await page.locator('summary', { hasText: 'Quyết định' }).click();
  await page.getByLabel('Làm gì').selectOption('refund-recorded');
  await page.getByLabel('Lý do').fill('sent back by hand');
  await page.getByRole('button', { name: 'Quyết định' }).click();
  await page.getByText('Mọi đồng đều có chỗ.').waitFor();
  // What an order was paid too much is decided about as a sum.
  const order = await placeTestOrder(night.api);
  await pay(night.api, order.code, { transferAmount: 500_000 });
  await page.goto(at('/payments'));
  await page.getByText('đơn được trả thừa').waitFor();
  await page.locator('summary', { hasText: 'Quyết định' }).click();
  await page.getByLabel('Làm gì').selectOption('ignore');
  await page.getByLabel('Lý do').fill('he wants it kept');
  await page.getByRole('button', { name: 'Quyết định' }).click();
  await page.getByText('Mọi đồng đều có chỗ.').waitFor();
  await page.goto(at('/engines'));
  const row = page.getByRole('row', { name: /test-engine/ });
  await row.locator('summary').click();
  await row.getByLabel('Lý do').fill('new disks');
  await row.getByRole('button', { name: 'Rút việc' }).click();
  await page.getByText('new disks').waitFor();
});

test('an auditor verifies a log and sees who read what; there is nothing to press, and what is posted is refused', async () => {
  const page = await logIn('auditor');
  await page.goto(at(`/jobs/${night.failed.code}/logs?attempt=1`));
  await page.getByRole('link', { name: 'Kiểm chứng' }).click();
  await page.getByText('✓ đủ và nguyên vẹn').waitFor();
  for (const path of Object.values(pages())) {
    await page.goto(at(path));
    // Besides logging out, all a form of an auditor does is ask.
    expect([path, await page.locator('form[method=post]').count()]).toEqual([path, 1]);
  }
  await page.goto(at('/audit?tab=reads'));
  await page.getByText(`/v1/jobs/${night.failed.code}/log-proof?attempt=1`).first().waitFor();
  const auditor = await visit(night.api, night.keys.auditor);
  const changesBefore = await changes();
  for (const [path, fields] of forms(night))
    expect([path, (await auditor.post(path, fields)).status]).toEqual([path, 403]);
  expect(await changes()).toBe(changesBefore);
}, 60_000);

const changes = async (): Promise<number> =>
  (await night.api.auditor.query<{ n: number }>('SELECT count(*)::int AS n FROM changes')).rows[0]?.n ?? -1;

/** Every form there is, but the log-out. */
const forms = ({ failed }: Night): [path: string, fields: Record<string, string>][] => [
  [`/console/jobs/${failed.code}/retry`, { reason: 'x' }],
  [`/console/jobs/${failed.code}/cancel`, { reason: 'x' }],
  [`/console/jobs/${failed.code}/priority`, { priority: '1' }],
  ['/console/dead-letters/redrive', { deadReason: 'attempts_exhausted', reason: 'x' }],
  ['/console/payments/decide', { item: 'payment:1', action: 'ignore', reason: 'x' }],
  ['/console/courses', { id: 'x', source: '{}' }],
  ['/console/engines/drain', { engine: 'test-engine', reason: 'x' }],
  ['/console/engines/undrain', { engine: 'test-engine' }],
  ['/console/queue/pause', { reason: 'x' }],
  ['/console/queue/resume', {}],
];

test('a form of another site is refused by every address that takes one', async () => {
  const operator: Visitor = await visit(night.api, night.keys.operator);
  const before = await changes();
  for (const [path, fields] of forms(night)) {
    expect([path, (await operator.post(path, fields, { 'Sec-Fetch-Site': 'cross-site' })).status]).toEqual([path, 403]);
    expect([path, (await operator.post(path, { ...fields, token: 'x' })).status]).toEqual([path, 403]);
  }
  expect(await changes()).toBe(before);
  // Those are all there are.
  const posted = [
    'routes',
    'job-page',
    'dead-letters-page',
    'payments-page',
    'courses-page',
    'engine-table',
    'overview-page',
  ]
    .map((name) => readFileSync(new URL(`${name}.ts`, import.meta.url), 'utf8'))
    .join('')
    .match(/gate\.post\(/g);
  expect(posted).toHaveLength(forms(night).length);
});

test('what a form got wrong is said, in the reader’s language, and nothing is done', async () => {
  const operator = await visit(night.api, night.keys.operator);
  const refused = await operator.post(`/console/jobs/${night.running.code}/retry`, { reason: 'x' });
  expect(refused.status).toBe(409);
  expect(await refused.text()).toContain('không nằm trong danh sách hỏng');
  const wrong = await operator.post('/console/courses', { id: 'x', source: 'no json' });
  expect([wrong.status, await wrong.text()]).toEqual([422, expect.stringContaining('<code>source</code>')]);
  expect((await operator.get('/console/jobs/LD9999999999')).status).toBe(404);
  expect((await operator.get('/console/jobs?cursor=x')).status).toBe(422);
});

test('the page changes by itself when something moves, and not while somebody writes', async () => {
  const page = await logIn('operator');
  await page.goto(at('/jobs?state=completed'));
  await page.getByText('tự cập nhật').waitFor();
  await page.evaluate('window.stays = true');
  await page.getByLabel('Khóa học').focus();
  await insertTestOrder(night.world.api);
  // It waits for whoever writes.
  await until(page, 'performance.now() > 6_000');
  expect(await page.evaluate('window.stays')).toBe(true);
  await page.evaluate('document.activeElement.blur()');
  await until(page, 'window.stays === undefined');
}, 60_000);

test('the overview is read on a phone, and without scripts', async () => {
  const page = await logIn('operator', { ...PHONE, javaScriptEnabled: true });
  expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true);
  expect(await seriousViolations(page)).toEqual([]);
  const plain = await logIn('operator', { ...DESK, javaScriptEnabled: false });
  await plain.locator('summary', { hasText: 'Dạng bảng' }).first().click();
  expect(await plain.locator('.as-table[open] tbody tr').count()).toBe(24);
  await plain.locator('summary', { hasText: 'Tạm dừng hàng đợi' }).click();
  await plain.getByLabel('Lý do').last().fill('a test');
  await plain.getByRole('button', { name: 'Tạm dừng hàng đợi' }).click();
  await plain.getByText('Hàng đợi đang tạm dừng').waitFor();
  await plain.getByRole('button', { name: 'Chạy tiếp' }).click();
  await plain.locator('summary', { hasText: 'Tạm dừng hàng đợi' }).waitFor();
});
