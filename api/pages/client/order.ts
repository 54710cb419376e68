/** The order page stays up to date by itself, counts down, and copies. All of it also works, by hand, without this. */
import { clockText, type Tongue } from './figures.ts';
import { liveTexts, shareDone, structureOf, type LiveOrder } from './order-figures.ts';

const COPIED_SHOWN_MS = 2_000;
const TICK_MS = 1_000;
/** After a stream that was refused: doubled each time, up to the limit. */
const RETRY_FIRST_MS = 2_000;
const RETRY_MAX_MS = 60_000;
const PAGE_LIMIT_MS = 15_000;
const RENEW_AGAIN_MS = 2_000;
const RENEWALS_MAX = 30;

const byId = (id: string): HTMLElement | null => document.getElementById(id);
const tongue = (): Tongue => (document.documentElement.lang === 'en' ? 'en' : 'vi');

let countdownEndsAt = 0;

/** What only works with a script is shown by one; a countdown goes by the server's clock, not by the phone's. */
function adopt(live: HTMLElement): void {
  const canCopy = navigator.clipboard !== undefined;
  for (const button of live.querySelectorAll<HTMLElement>('[data-copy]')) button.hidden = !canCopy;
  const countdown = live.querySelector<HTMLElement>('[data-left-seconds]');
  countdownEndsAt = countdown ? performance.now() + Number(countdown.dataset['leftSeconds']) * 1_000 : 0;
  tick();
}

function tick(): void {
  const countdown = document.querySelector<HTMLElement>('[data-left-seconds]');
  if (countdown) countdown.textContent = clockText((countdownEndsAt - performance.now()) / 1_000);
}

async function copy(button: HTMLElement): Promise<void> {
  await navigator.clipboard.writeText(button.dataset['copy'] ?? '');
  const { label = '', copied = '' } = button.dataset;
  const shown = button.querySelector('span');
  if (shown) shown.textContent = copied;
  button.classList.add('done');
  say(`${button.dataset['what'] ?? ''} ${copied}`);
  setTimeout(() => {
    if (shown) shown.textContent = label;
    button.classList.remove('done');
  }, COPIED_SHOWN_MS);
}

const say = (text: string): void => {
  const status = byId('said');
  if (status) status.textContent = text;
};

/** The page as the server shows it now. A document that is fetched whole is parsed without scripts. */
const fetchPage = (): Promise<Document> =>
  new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open('GET', location.pathname + location.search);
    request.responseType = 'document';
    request.timeout = PAGE_LIMIT_MS;
    request.addEventListener('load', () =>
      request.status === 200 && request.response instanceof Document
        ? resolve(request.response)
        : reject(new Error('no page')),
    );
    for (const way of ['error', 'timeout']) request.addEventListener(way, () => reject(new Error('no answer')));
    request.send();
  });

const scriptOf = (page: Document): string | null | undefined => page.querySelector('script[src]')?.getAttribute('src');

async function renew(): Promise<void> {
  const page = await fetchPage();
  const [now, fresh] = [byId('live'), page.getElementById('live')];
  // Another release, whose page may want another script.
  if (!now || !fresh || scriptOf(page) !== scriptOf(document)) return location.reload();
  const hadFocus = now.contains(document.activeElement);
  const adopted = document.adoptNode(fresh);
  now.replaceWith(adopted);
  document.title = page.title;
  adopt(adopted);
  if (hadFocus) byId('main')?.focus();
  say(adopted.querySelector('h2')?.textContent ?? '');
}

function show(order: LiveOrder, live: HTMLElement): void {
  const texts = liveTexts(tongue(), order);
  for (const element of live.querySelectorAll<HTMLElement>('[data-live]')) {
    const text = texts[element.dataset['live'] ?? ''] ?? '';
    if (element.textContent !== text) element.textContent = text;
  }
  const bar = live.querySelector('progress');
  const share = shareDone(order);
  if (bar && share !== undefined) bar.value = share;
}

let latest: LiveOrder | undefined;
let renewing = false;

/** Shows what was heard last, also when that came while the page was being fetched for what was heard before. */
async function catchUp(): Promise<void> {
  for (let renewals = 0; renewals < RENEWALS_MAX; renewals += 1) {
    const [live, order] = [byId('live'), latest];
    if (!live || !order) return;
    if (live.dataset['structure'] === structureOf(order)) return show(order, live);
    const failed = await renew().then(
      () => false,
      () => true,
    );
    if (failed) await new Promise((resolve) => setTimeout(resolve, RENEW_AGAIN_MS));
    // The page may know more than the stream has told yet.
    else if (latest === order) return;
  }
}

async function heard(order: LiveOrder): Promise<void> {
  latest = order;
  if (renewing) return;
  renewing = true;
  await catchUp().finally(() => (renewing = false));
}

function listen(retryMs: number): void {
  const live = byId('live');
  const address = live?.dataset['events'];
  if (!address) return;
  const events = new EventSource(address);
  let nextMs = retryMs;
  events.addEventListener('status', (event: MessageEvent<string>) => {
    nextMs = RETRY_FIRST_MS;
    heard(JSON.parse(event.data) as LiveOrder).catch(() => undefined);
  });
  events.addEventListener('error', () => {
    // Of a state that lasts the stream ends, and there is nothing to wait for.
    if (!byId('live')?.dataset['events']) return events.close();
    // Closed: refused. A stream that broke is opened again by the browser.
    if (events.readyState !== EventSource.CLOSED) return;
    setTimeout(() => listen(Math.min(nextMs * 2, RETRY_MAX_MS)), nextMs);
  });
}

document.addEventListener('click', (event) => {
  const button = event.target instanceof Element ? event.target.closest<HTMLElement>('[data-copy]') : null;
  if (button) copy(button).catch(() => undefined);
});
// A page that comes back from the browser's cache may be hours old.
window.addEventListener('pageshow', (event) => event.persisted && location.reload());

const live = byId('live');
if (live) {
  adopt(live);
  setInterval(tick, TICK_MS);
  listen(RETRY_FIRST_MS);
}
