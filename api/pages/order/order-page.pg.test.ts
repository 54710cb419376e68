/** The order page in a browser, from state to state, on a real database; what a container does is written by its moves. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Browser, Page } from 'playwright-core';
import { openBrowser, openPage, seriousViolations, takeScreens } from '../../../test/browser.ts';
import { redriveJob } from '../../../test/moves.ts';
import { inTransaction } from '../../../sql/pool.ts';
import { recordProgress, settle, type AttemptRow } from '../../../sql/attempts.ts';
import { pay } from '../../payments/test-webhook.ts';
import { BANK, placeTestOrder, runAttempt, startTestApi, type OrderAnswer, type TestApi } from '../../test-setup.ts';

let api: TestApi;
let browser: Browser;
beforeAll(async () => {
  api = await startTestApi({ contactEmail: 'help@shop.example' });
  browser = await openBrowser();
}, 60_000);
afterAll(async () => {
  await browser.close();
  await api.stop();
}, 60_000);

type Opened = Awaited<ReturnType<typeof openPage>>;
async function open(order: OrderAnswer): Promise<Opened> {
  const page = await openPage(browser);
  await page.goto(`${api.url}/o/${order.token}`);
  return page;
}
/** What the page says, once it says this. */
const says = (page: Page, text: string): Promise<unknown> => page.getByText(text).first().waitFor();
/** Nothing that keeps people out, nothing in the console; a picture where one is asked for. */
async function isFine(page: Opened, picture?: string): Promise<void> {
  expect(await seriousViolations(page)).toEqual([]);
  expect(page.complaints).toEqual([]);
  if (picture !== undefined) await takeScreens(page, picture);
}
const leaseOf = (attempt: AttemptRow) => ({ attemptId: attempt.id, epoch: attempt.lease_epoch });
const progress = {
  filesDone: 3,
  filesTotal: 12,
  bytesDone: 250e6,
  bytesTotal: 1e9,
  bytesPerSecond: 5e6,
  secondsLeft: 150,
};
const ended = { outcome: 'bad_input' as const, detail: '', exitCode: 65, oomKilled: false, endMessage: undefined };

test('a pending order has all that a bank app needs, and copies it', async () => {
  const order = await placeTestOrder(api);
  const page = await open(order);
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
  await says(page, '499.000 ₫');
  for (const text of ['MB Bank', BANK.accountNumber, BANK.accountName, order.code, 'r•••@mail.example'])
    await says(page, text);
  expect(
    await page.evaluate(
      '(({ naturalWidth, clientWidth }) => naturalWidth > 0 && clientWidth >= 280)(document.querySelector(".qr"))',
    ),
  ).toBe(true);
  expect(await page.getByRole('timer').textContent()).toMatch(/^59:\d\d$|^01:00:00$/);
  await isFine(page, 'order-pending');
  const copy = async (what: string): Promise<unknown> => {
    await page.getByRole('button', { name: `Sao chép ${what}` }).click();
    return page.evaluate('navigator.clipboard.readText()');
  };
  expect([await copy('Số tài khoản'), await copy('Số tiền'), await copy('Nội dung')]).toEqual([
    BANK.accountNumber,
    '499000',
    order.code,
  ]);
  await says(page, 'đã sao chép');
  await isFine(page);
  expect(await page.content()).not.toContain('reader@mail.example');
});

test('money that arrives changes the page by itself: a part, the rest, the download, what went wrong', async () => {
  const order = await placeTestOrder(api);
  const page = await open(order);
  await says(page, 'Quét mã để thanh toán');
  await pay(api, order.code, { transferAmount: 99_000 });
  await says(page, 'Đã nhận 99.000 ₫, còn thiếu 400.000 ₫');
  expect(await page.locator('#said').textContent()).toBe('Chuyển phần còn thiếu');
  expect(await page.locator('.cancel').count()).toBe(0);
  await isFine(page, 'order-partly-paid');
  await pay(api, order.code, { transferAmount: 400_000 });
  await says(page, 'Đã nhận thanh toán');
  await isFine(page, 'order-paid');
  const attempt = await runAttempt(api, order.code);
  await says(page, 'Đang chuẩn bị tải…');
  await recordProgress(api.orchestrator, leaseOf(attempt), progress);
  await says(page, '250 MB / 1,0 GB');
  await says(page, '3 / 12');
  await says(page, '5,0 MB/s');
  const bar = page.getByRole('progressbar', { name: 'Tiến độ tải' });
  expect(await bar.getAttribute('value')).toBe('0.25');
  await isFine(page, 'order-downloading');
  // In place: the bar that was there is the bar that moves.
  await page.evaluate('document.querySelector("progress").dataset.kept = "yes"');
  // As if a second had passed since watchers were told.
  await api.database
    .poolFor('lading_owner')
    .query('UPDATE attempts SET progress_told_at = NULL WHERE id = $1', [attempt.id]);
  await recordProgress(api.orchestrator, leaseOf(attempt), { ...progress, bytesDone: 500e6 });
  await says(page, '500 MB / 1,0 GB');
  expect(
    await page.evaluate('(({ value, dataset }) => [value, dataset.kept])(document.querySelector("progress"))'),
  ).toEqual([0.5, 'yes']);
  await settle(api.orchestrator, leaseOf(attempt), ended, {
    job: 'dies',
    spendsAttempt: true,
    reason: 'bad_input',
    detail: '',
  });
  await says(page, 'Bạn sẽ được hoàn lại 499.000 ₫');
  await says(page, 'help@shop.example');
  await isFine(page, 'order-failed');
  // An operator has mended what was wrong.
  await inTransaction(api.database.poolFor('lading_owner'), (db) => redriveJob(db, attempt.job_id, 'mended'));
  await says(page, 'Lần tải trước bị gián đoạn');
  await isFine(page);
});

test('a page whose stream broke comes back to it by itself', async () => {
  const order = await placeTestOrder(api);
  const page = await open(order);
  await says(page, 'Quét mã để thanh toán');
  await api.pool.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'lading api, listening'`);
  await pay(api, order.code);
  await says(page, 'Đã nhận thanh toán');
});

test('a page that could not be fetched anew is fetched again', async () => {
  const order = await placeTestOrder(api);
  const page = await open(order);
  await says(page, 'Quét mã để thanh toán');
  let fetched = 0;
  await page.route(`**/o/${order.token}`, (route) => {
    fetched += 1;
    return fetched === 1
      ? route.fulfill({ status: 500, contentType: 'text/html', body: '<p>away</p>' })
      : route.continue();
  });
  await pay(api, order.code);
  await says(page, 'Đã nhận thanh toán');
  expect(fetched).toBe(2);
});

describe('money that does not fit', () => {
  test('twice: the second is kept, and what was decided about it is said', async () => {
    const order = await placeTestOrder(api);
    await pay(api, order.code);
    const page = await open(order);
    await pay(api, order.code);
    await says(page, 'đến khi đơn đã được trả đủ');
    await says(page, 'Nhân viên đang xem xét');
    await isFine(page, 'order-paid-twice');
    await api.database.poolFor('lading_owner').query(
      `INSERT INTO inbox_decisions (payment_event_id, action, unplaced_reason, person, reason)
       SELECT p.event_id, 'refund_recorded', p.unplaced_reason, 'a test', 'paid twice'
       FROM payments p JOIN orders o ON o.id = p.proposed_order_id WHERE o.code = $1`,
      [order.code],
    );
    await says(page, 'Đã hoàn lại.');
  });

  test('too much: the course goes on, and the rest is spoken of', async () => {
    const order = await placeTestOrder(api);
    await pay(api, order.code, { transferAmount: 500_000 });
    const page = await open(order);
    await says(page, 'Bạn đã chuyển thừa 1.000 ₫');
    await isFine(page);
  });

  test('too late: an expired order says so, and what becomes of the money', async () => {
    const order = await placeTestOrder(api);
    await api.database
      .poolFor('lading_owner')
      .query(
        `UPDATE orders SET created_at = now() - interval '2 hours', expires_at = now() - interval '1 hour' WHERE code = $1`,
        [order.code],
      );
    const page = await open(order);
    await says(page, 'Đơn hàng đã hết hạn');
    await pay(api, order.code);
    await says(page, 'đến sau khi đơn hết hạn.');
    await isFine(page, 'order-expired');
  });
});

test('an order is cancelled by keyboard alone, after being asked', async () => {
  const page = await open(await placeTestOrder(api));
  const focused = (): Promise<string> =>
    page.evaluate<string>('document.activeElement.tagName + " " + document.activeElement.textContent.trim()');
  const tabUntil = async (wanted: string): Promise<void> => {
    for (let n = 0; n < 30 && (await focused()) !== wanted; n += 1) await page.keyboard.press('Tab');
    expect(await focused()).toBe(wanted);
  };
  await page.keyboard.press('Tab');
  expect(await focused()).toBe('A Đến nội dung chính');
  await tabUntil('SUMMARY Hủy đơn hàng');
  await page.keyboard.press('Enter');
  await tabUntil('BUTTON Hủy đơn này');
  await page.keyboard.press('Enter');
  await says(page, 'Đơn hàng đã hủy');
  await isFine(page, 'order-cancelled');
});

test('without JavaScript the page is whole, loads itself again, and can be cancelled', async () => {
  const order = await placeTestOrder(api);
  const context = await browser.newContext({ javaScriptEnabled: false });
  const page = await context.newPage();
  await page.goto(`${api.url}/o/${order.token}`);
  await says(page, order.code);
  expect(await page.locator('meta[http-equiv=refresh]').getAttribute('content')).toBe('15');
  expect(await page.getByRole('button', { name: 'Sao chép' }).count()).toBe(0);
  await page.getByText('Hủy đơn hàng').click();
  await page.getByRole('button', { name: 'Hủy đơn này' }).click();
  await says(page, 'Đơn hàng đã hủy');
  await context.close();
});

test('a link that is not ours is a page that says so', async () => {
  const page = await openPage(browser);
  const response = await page.goto(`${api.url}/o/${'x'.repeat(43)}`);
  expect(response?.status()).toBe(404);
  await says(page, 'Liên kết có thể bị thiếu vài ký tự');
});
