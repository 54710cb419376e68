/** Pieces that several pages of the console are made of. */
import { html, type Html } from '../html.ts';
import type { Language } from '../language.ts';
import { formToken } from './shell.ts';
import type { Session } from './session.ts';
import { CONSOLE } from './texts.ts';

const HERE = new Intl.DateTimeFormat('sv-SE', {
  timeZone: 'Asia/Ho_Chi_Minh',
  dateStyle: 'short',
  timeStyle: 'medium',
});

/** A moment as the wall clock of Vietnam has it; exactly, and in UTC, where it is pointed at. */
export const when = (at: string | null | undefined): Html =>
  at === null || at === undefined
    ? html`<span class="soft">–</span>`
    : html`<time datetime=${at} title=${at}>${HERE.format(new Date(at))}</time>`;

const GRAVITY: Readonly<Record<string, 'good' | 'bad' | 'warn' | 'busy'>> = {
  completed: 'good',
  succeeded: 'good',
  ok: 'good',
  applied: 'good',
  dead: 'bad',
  failed: 'bad',
  broken: 'bad',
  settled: 'busy',
  attempting: 'busy',
  running: 'busy',
  downloading: 'busy',
  delivering: 'busy',
  creating: 'busy',
};

/** A word with the colour of what it means; the word itself says it too. */
export const pill = (word: string, gravity: 'good' | 'bad' | 'warn' | 'busy' | '' = GRAVITY[word] ?? ''): Html =>
  html`<span class=${`pill ${gravity}`}>${word}</span>`;

export type Column<Row> = { head: string; cell: (row: Row) => unknown; isNumber?: boolean; isWide?: boolean };

/** Nothing but a remark when there are no rows. */
export function table<Row>(
  language: Language,
  caption: string,
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  none = CONSOLE[language].none,
): Html {
  if (rows.length === 0) return html`<p class="empty">${none}</p>`;
  return html`<div class="scroll" role="region" aria-label=${caption} tabindex="0">
    <table>
      <caption class="unseen">
        ${caption}
      </caption>
      <thead>
        <tr>
          ${columns.map(({ head, isNumber }) => html`<th scope="col" class=${isNumber ? 'number' : undefined}>${head}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${rows.map(
          (row) =>
            html`<tr>
              ${columns.map(
                ({ cell, isNumber, isWide }) =>
                  html`<td class=${isNumber ? 'number' : isWide ? 'words' : undefined}>${cell(row)}</td>`,
              )}
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

/** The same list from where this page ends. */
export function pager(
  language: Language,
  path: string,
  query: Readonly<Record<string, string>>,
  next: string | null,
): Html {
  if (next === null) return html`<nav class="pager" hidden></nav>`;
  const search = new URLSearchParams({ ...query, cursor: next });
  return html`<nav class="pager" aria-label=${CONSOLE[language].next}>
    <a class="button quiet" rel="next" href=${`${path}?${search}`}>${CONSOLE[language].next} →</a>
  </nav>`;
}

let ids = 0;
/** An id that no other element of a page has. */
const freshId = (): string => `f${(ids += 1)}`;

/** A field under its label. */
export function field(label: string, input: (id: string) => Html): Html {
  const id = freshId();
  return html`<div class="field"><label for=${id}>${label}</label>${input(id)}</div>`;
}

export const reasonField = (language: Language): Html =>
  field(
    CONSOLE[language].reason,
    (id) =>
      html`<input
        id=${id}
        name="reason"
        required
        maxlength="500"
        autocomplete="off"
        placeholder=${CONSOLE[language].reasonHint}
      />`,
  );

/** A form behind a word that opens it: nothing is done by one careless click. */
export const actionForm = (
  session: Session,
  action: { path: string; label: string; isGrave?: boolean; hidden?: Readonly<Record<string, string>> },
  fields: unknown,
): Html =>
  html`<details class="action">
    <summary class=${action.isGrave ? 'grave' : undefined}>${action.label}</summary>
    <form method="post" action=${action.path}>
      ${formToken(session)}
      ${Object.entries(action.hidden ?? {}).map(([name, value]) => html`<input type="hidden" name=${name} value=${value} />`)}
      ${fields}
      <button class=${action.isGrave ? 'grave' : undefined}>${action.label}</button>
    </form>
  </details>`;

/** One choice of a filter. */
export const choice = (
  label: string,
  name: string,
  options: readonly (readonly [value: string, text: string])[],
  chosen: string | undefined,
): Html =>
  field(
    label,
    (id) =>
      html`<select id=${id} name=${name}>
        <option value="">–</option>
        ${options.map(([value, text]) => html`<option value=${value} selected=${value === chosen}>${text}</option>`)}
      </select>`,
  );

export const words = (label: string, name: string, value: string | undefined, hint?: string): Html =>
  field(
    label,
    (id) =>
      html`<input id=${id} name=${name} value=${value ?? ''} maxlength="320" placeholder=${hint} autocomplete="off" />`,
  );

/** A filter sends itself as the address of the page it filters. */
export const filterForm = (path: string, label: string, fields: unknown): Html =>
  html`<form class="filter" method="get" action=${path}>
    ${fields}
    <button class="quiet">${label}</button>
  </form>`;

/** What a plot shows, for client/console-plot.ts; and the same as a table. */
export type Plot = {
  kind: 'bars' | 'lines';
  /** Seconds since 1970, or since the first point. */
  x: readonly number[];
  /** Shown as hours of the day, or as time that passed. */
  clock: 'day' | 'passed';
  unit: 'count' | 'bytes' | 'cpus';
  /** What the line may reach. */
  limit?: number | null;
  series: readonly {
    label: string;
    colour: 'good' | 'bad' | 'accent' | 'warn' | 'soft';
    values: readonly (number | null)[];
  }[];
};

export const plot = (language: Language, caption: string, shown: Plot, asTable: Html): Html =>
  html`<figure class="plot-figure">
    <figcaption>
      ${caption}
      <span class="legend" aria-hidden="true"
        >${shown.series.map(({ label, colour }) => html`<span class=${`key ${colour}`}>${label}</span>`)}</span
      >
    </figcaption>
    <div class="plot" data-plot=${JSON.stringify(shown)} role="img" aria-label=${caption}></div>
    <details class="as-table">
      <summary>${CONSOLE[language].table}</summary>
      ${asTable}
    </details>
  </figure>`;
