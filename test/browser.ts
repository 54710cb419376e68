/** A real Chromium for the tests of pages: one process a test file, a fresh context a reader. */
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core';

const CHROMIUM = '/usr/bin/chromium';
const LAUNCH_LIMIT_MS = 20_000;
const WAIT_LIMIT_MS = 10_000;
const SCREENS_DIR = fileURLToPath(new URL('../docs/screens', import.meta.url));
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

const SCHEMES = ['light', 'dark'] as const;

/** A small phone of today, held upright. */
export const PHONE: BrowserContextOptions = {
  viewport: { width: 390, height: 844 },
  deviceScaleFactor: 2,
  isMobile: true,
  hasTouch: true,
  locale: 'vi-VN',
  timezoneId: 'Asia/Ho_Chi_Minh',
};
export const DESK: BrowserContextOptions = {
  viewport: { width: 1280, height: 800 },
  locale: 'vi-VN',
  timezoneId: 'Asia/Ho_Chi_Minh',
};

/** Its profile is a new folder, removed with it. */
export async function openBrowser(): Promise<Browser> {
  if (!existsSync(CHROMIUM)) throw new Error(`${CHROMIUM} is missing: ./script/test-tools`);
  return chromium.launch({
    executablePath: CHROMIUM,
    timeout: LAUNCH_LIMIT_MS,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}

/** A page of a new reader, who has no cookies yet. What the page complains of in its console is kept in `complaints`. */
export async function openPage(
  browser: Browser,
  options: BrowserContextOptions = PHONE,
): Promise<Page & { complaints: string[] }> {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(WAIT_LIMIT_MS);
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(error.message));
  return Object.assign(page, { complaints });
}

type Violation = { id: string; impact: string | null; nodes: { html: string; failureSummary?: string }[] };

/** What axe-core finds serious or critical on the page as it is, in light and in dark, a line each. */
export async function seriousViolations(page: Page): Promise<string[]> {
  await page.evaluate(AXE);
  const lines: string[] = [];
  for (const colorScheme of SCHEMES) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    const found = await page.evaluate<Violation[]>('axe.run(document).then((result) => result.violations)');
    for (const { id, impact, nodes } of found)
      if (impact === 'serious' || impact === 'critical')
        lines.push(...nodes.map((node) => `${colorScheme} ${id}: ${node.html} ${node.failureSummary ?? ''}`));
  }
  await page.emulateMedia({ colorScheme: null, reducedMotion: null });
  return lines;
}

/**
 * Pictures of a page in light and dark for docs/screens, where LADING_SCREENS asks for them (./script/screens); an
 * ordinary run leaves the checkout as it is.
 */
export async function takeScreens(page: Page, name: string): Promise<void> {
  if (!process.env['LADING_SCREENS']) return;
  mkdirSync(SCREENS_DIR, { recursive: true });
  for (const colorScheme of SCHEMES) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await page.screenshot({ path: `${SCREENS_DIR}/${name}-${colorScheme}.png`, fullPage: true, scale: 'css' });
  }
  await page.emulateMedia({ colorScheme: null, reducedMotion: null });
}
