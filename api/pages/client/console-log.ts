/** Follows a log: appends lines as they are said, and lets the oldest go. Text is set as text, whatever stands in it. */

/** What a browser lays out without a pause. */
const LINES_SHOWN_MAX = 2_000;
const LINE_PENDING_MAX_CHARS = 1_000_000;
const AT_END_PX = 60;
const RETRY_MS = 3_000;
const TIME_FROM = 11;
const TIME_TO = 23;

type Line = { n: number; t: string; s: 'o' | 'e'; l: string; g?: 1 };

const list = document.querySelector<HTMLOListElement>('[data-log]');
const state = document.querySelector<HTMLElement>('[data-follow-state]');
const button = document.querySelector<HTMLButtonElement>('[data-follow]');
const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

function element<K extends keyof HTMLElementTagNameMap>(name: K, text: string): HTMLElementTagNameMap[K] {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}

function show(into: HTMLOListElement, line: Line): void {
  const item = document.createElement('li');
  item.id = `L${line.n}`;
  if (line.s === 'e') item.className = 'err';
  const link = element('a', String(line.n));
  link.href = `${into.dataset['path'] ?? ''}&line=${line.n}#L${line.n}`;
  if (line.g) item.append(Object.assign(element('span', into.dataset['gap'] ?? ''), { className: 'gap' }));
  item.append(link, element('time', line.t.slice(TIME_FROM, TIME_TO)), element('span', line.l));
  into.append(item);
  while (into.childElementCount > LINES_SHOWN_MAX) into.firstElementChild?.remove();
}

/** Answers whether the log is over; a stream without a last word was cut. */
async function read(into: HTMLOListElement, scroller: HTMLElement): Promise<boolean> {
  const after = into.dataset['after'] ?? '0';
  const response = await fetch(`${into.dataset['log'] ?? ''}&after=${after}`);
  if (!response.ok || !response.body) throw new Error(`the log was not answered: ${response.status}`);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let pending = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return false;
    pending += value;
    if (pending.length > LINE_PENDING_MAX_CHARS) throw new Error('a line without an end');
    const lines = pending.split('\n');
    pending = lines.pop() ?? '';
    const isAtEnd = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < AT_END_PX;
    for (const text of lines) {
      if (text === '') continue;
      const said = JSON.parse(text) as Line | { over: boolean };
      if ('over' in said) return said.over;
      show(into, said);
      into.dataset['after'] = String(said.n);
    }
    if (isAtEnd) scroller.scrollTop = scroller.scrollHeight;
  }
}

async function follow(into: HTMLOListElement): Promise<void> {
  const scroller = into.parentElement ?? document.documentElement;
  scroller.scrollTop = scroller.scrollHeight;
  if (state) state.textContent = state.dataset['following'] ?? '';
  // As long as the page is open; each round waits for the stream, or between two.
  for (;;) {
    const isOver = await read(into, scroller).catch(() => false);
    if (isOver) break;
    await wait(RETRY_MS);
  }
  if (state) state.textContent = state.dataset['over'] ?? '';
}

if (list && button) {
  button.hidden = false;
  button.addEventListener('click', () => {
    button.hidden = true;
    void follow(list);
  });
} else if (!location.hash) {
  // The last lines are what one comes for.
  const scroller = document.querySelector<HTMLElement>('.log-scroll');
  if (scroller && !location.search.includes('after=')) scroller.scrollTop = scroller.scrollHeight;
}
