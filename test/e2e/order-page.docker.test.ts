/** A customer with a phone: orders in the shop page, pays in the bank app what the order page shows, watches, opens Drive. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Browser, Page } from 'playwright-core';
import { z } from 'zod';
import { callJson } from '../../sandbox/customer.ts';
import { putCourse } from '../../sql/courses.ts';
import { openBrowser, openPage, seriousViolations, takeScreens } from '../browser.ts';
import { eventually, startE2e, type E2e } from './world.ts';

const MIB = 1024 * 1024;
const FILE_BYTES = 12 * MIB;
const FIRST_PAINT_MAX_MS = 1_000;
const TRANSFER_MAX_BYTES = 100_000;
const PAID_SHOWN_LIMIT_MS = 10_000;
const DELIVERED_LIMIT_MS = 40_000;

let e2e: E2e;
let browser: Browser;
beforeAll(async () => {
  [e2e, browser] = await Promise.all([startE2e(), openBrowser()]);
  await putCourse(
    e2e.pool,
    {
      id: 'slow',
      title: 'Đọc vận đơn đường biển',
      price_vnd: 499_000,
      provider: 'manifest',
      source: {
        manifestUrl: `${e2e.system.providerUrl}/courses/slow/manifest.json?bytes=${FILE_BYTES}&bytesPerSecond=${3 * MIB}`,
        bearer: 'sandbox',
      },
      profile: 'standard',
    },
    { kind: 'own', evidence: 'https://lading.example/rights', recordedBy: 'test' },
  );
}, 60_000);
afterAll(async () => {
  await browser.close();
  await e2e.stop();
}, 60_000);

const says = (page: Page, text: string | RegExp, timeout: number): Promise<void> =>
  page.getByText(text).first().waitFor({ timeout });
const copied = async (page: Page, what: string): Promise<string> => {
  await page.getByRole('button', { name: `Sao chép ${what}` }).click();
  return page.evaluate<string>('navigator.clipboard.readText()');
};
const mailsTo = async (address: string): Promise<unknown[]> =>
  (await callJson(z.array(z.looseObject({ to: z.unknown() })), `${e2e.system.mailControlUrl}/sandbox/mails`)).filter(
    ({ to }) => JSON.stringify(to).includes(address),
  );

test('from the shop page to the folder in Drive, on a phone, without loading a page by hand', async () => {
  const page = await openPage(browser);
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
  const referers: string[] = [];
  page.on('request', (request) => referers.push(request.headers()['referer'] ?? ''));

  await page.goto(e2e.system.apiUrl);
  await page.getByRole('radio').check();
  await page.getByRole('textbox').fill('phone@mail.example');
  await page.getByRole('button', { name: 'Đặt hàng và nhận mã QR' }).click();
  await says(page, 'Quét mã để thanh toán', PAID_SHOWN_LIMIT_MS);
  expect(await seriousViolations(page)).toEqual([]);
  await page.evaluate('globalThis.loadedOnce = true');

  const accountNumber = await copied(page, 'Số tài khoản');
  const amount = Number(await copied(page, 'Số tiền'));
  const content = await copied(page, 'Nội dung');
  await fetch(`${e2e.system.sepayUrl}/sandbox/transfers`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ accountNumber, amount, content: `MBVCB.3278907687.${content}.CT tu 9704` }),
  });

  await says(page, 'Đang tải về Drive', PAID_SHOWN_LIMIT_MS);
  await says(page, /^\d[\d,]* MB \/ 12,6 MB$/, DELIVERED_LIMIT_MS);
  expect(await seriousViolations(page)).toEqual([]);
  await eventually('the bar moves', DELIVERED_LIMIT_MS, async () => {
    const share = await page.evaluate<number>('document.querySelector("progress")?.value ?? 1');
    return share > 0.3 ? share : undefined;
  });
  await says(page, 'Khóa học đã sẵn sàng', DELIVERED_LIMIT_MS);
  const link = page.getByRole('link', { name: 'Mở trong Google Drive' });
  expect(await link.getAttribute('href')).toMatch(/^https:\/\/drive\.google\.com\/drive\/folders\/[\w-]+$/);
  expect(await link.getAttribute('rel')).toContain('noreferrer');
  expect(await page.evaluate('globalThis.loadedOnce')).toBe(true);
  expect(await page.locator('#said').textContent()).toBe('Khóa học đã sẵn sàng');
  expect(await seriousViolations(page)).toEqual([]);
  expect(page.complaints).toEqual([]);
  await takeScreens(page, 'order-completed');
  await eventually('the mail', DELIVERED_LIMIT_MS, async () =>
    (await mailsTo('phone@mail.example')).length > 0 ? true : undefined,
  );

  const token = new URL(page.url()).pathname.split('/').at(-1) ?? '';
  expect(token).toMatch(/^[\w-]{43}$/);
  expect(referers.filter(Boolean)).toEqual([]);
  const logs = join(e2e.system.runDir, 'logs');
  for (const name of readdirSync(logs)) expect(readFileSync(join(logs, name), 'utf8')).not.toContain(token);
});

test('an order page shows its first content within a second, and all of it is less than 100 KB', async () => {
  const order = await e2e.customer.order('slow', 'phone@mail.example');
  const page = await openPage(browser);
  await page.goto(`${e2e.system.apiUrl}/o/${order.token}`, { waitUntil: 'networkidle' });
  const paint = await page.evaluate<number>('performance.getEntriesByName("first-contentful-paint")[0]?.startTime');
  expect(paint).toBeGreaterThan(0);
  expect(paint).toBeLessThan(FIRST_PAINT_MAX_MS);
  const loaded = await page.evaluate<{ name: string; transferSize: number; decodedBodySize: number }[]>(
    `performance.getEntries().filter(({ entryType }) => ['navigation', 'resource'].includes(entryType))
       .map(({ name, transferSize, decodedBodySize }) => ({ name, transferSize, decodedBodySize }))`,
  );
  const kinds = loaded.map(({ name }) => /\.(css|ts|svg)$/.exec(name)?.[1] ?? 'page');
  expect(new Set(kinds)).toEqual(new Set(['page', 'css', 'ts', 'svg']));
  // A new reader: nothing of it was there before.
  expect(loaded.filter(({ name, transferSize }) => /\.(css|ts)$/.test(name) && transferSize === 0)).toEqual([]);
  expect(loaded.reduce((sum, { transferSize }) => sum + transferSize, 0)).toBeLessThan(TRANSFER_MAX_BYTES);
});
