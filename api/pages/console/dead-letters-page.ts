import { listDeadLetters, redriveDeadLetters } from '../../operators/dead-letter-operations.ts';
import { html, type Html } from '../html.ts';
import type { Texts } from '../language.ts';
import type { Fields, Gate, Visit } from './gate.ts';
import { jobLink } from './jobs-page.ts';
import { actionForm, field, filterForm, pager, pill, reasonField, table, when, words } from './parts.ts';
import type { ConsolePage } from './shell.ts';
import { formToken } from './shell.ts';
import { CONSOLE } from './texts.ts';

const TEXTS: Texts<
  Readonly<
    Record<
      | 'order'
      | 'course'
      | 'why'
      | 'died'
      | 'attempts'
      | 'redrives'
      | 'email'
      | 'filter'
      | 'after'
      | 'before'
      | 'none'
      | 'redrive'
      | 'preview'
      | 'previewed'
      | 'send'
      | 'result'
      | 'more'
      | 'nothingToSend'
      | 'back'
      | 'needsFilter'
      | 'timeHint',
      string
    >
  >
> = {
  vi: {
    order: 'Đơn',
    course: 'Khóa học',
    why: 'Lý do',
    died: 'Hỏng lúc',
    attempts: 'Các lần thử',
    redrives: 'Đã chạy lại',
    email: 'Email',
    filter: 'Lọc',
    after: 'Từ lúc',
    before: 'Trước lúc',
    none: 'Không có công việc hỏng nào khớp. Tốt.',
    redrive: 'Chạy lại hàng loạt',
    preview: 'Xem trước',
    previewed: 'Những công việc này sẽ chạy lại',
    send: 'Chạy lại tất cả',
    result: 'Kết quả',
    more: 'Còn nữa: hãy làm lại lần nữa.',
    nothingToSend: 'Bộ lọc này không tìm thấy công việc nào.',
    back: 'Quay lại danh sách',
    needsFilter: 'Hãy lọc theo ít nhất một điều trước khi chạy lại hàng loạt.',
    timeHint: 'Giờ Việt Nam.',
  },
  en: {
    order: 'Order',
    course: 'Course',
    why: 'Why',
    died: 'Died',
    attempts: 'Attempts',
    redrives: 'Redriven',
    email: 'E-mail',
    filter: 'Filter',
    after: 'From',
    before: 'Before',
    none: 'No dead job fits. Good.',
    redrive: 'Redrive in bulk',
    preview: 'Preview',
    previewed: 'These jobs would be sent on their way again',
    send: 'Redrive all of them',
    result: 'Result',
    more: 'There may be more: do it again.',
    nothingToSend: 'The filter finds no job.',
    back: 'Back to the list',
    needsFilter: 'Filter by one thing at least before a redrive in bulk.',
    timeHint: 'The time of Vietnam.',
  },
};

const LOCAL_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d$/;
const HERE_OFFSET = '+07:00';
/** The wall clock of Vietnam, as a browser's field has it, as the operation wants it. What is no time is left for it to refuse. */
const instantOf = (local: string): string =>
  LOCAL_TIME.test(local) ? new Date(`${local}:00${HERE_OFFSET}`).toISOString() : local;

const FILTERS = ['deadReason', 'courseId', 'diedAfter', 'diedBefore'] as const;
function filterOf(fields: Fields): Record<string, string> {
  const given = FILTERS.flatMap((name) => {
    const value = fields[name]?.trim() ?? '';
    return value === '' ? [] : [[name, name.startsWith('died') ? instantOf(value) : value] as const];
  });
  return Object.fromEntries(given);
}

const outcomes = (
  attempts: readonly { n: number; outcome: string | null; exitCode: number | null; detail: string | null }[],
): Html =>
  html`<span class="outcomes"
    >${attempts.map(
      ({ outcome, exitCode, detail }) =>
        html`<span title=${detail ?? ''}
          >${pill(`${outcome ?? '?'}${exitCode === null ? '' : ` ${exitCode}`}`, 'bad')}</span
        >`,
    )}</span
  >`;

async function deadLettersPage(visit: Visit): Promise<ConsolePage> {
  const { language, query, session } = visit;
  const texts = TEXTS[language];
  const { cursor, ...fields } = query;
  const filter = filterOf(fields);
  const { deadLetters, nextCursor } = await visit.call(listDeadLetters, {
    query: { ...filter, ...(cursor !== undefined && { cursor }) },
  });
  const time = (label: string, name: string): Html =>
    field(
      label,
      (id) =>
        html`<input id=${id} type="datetime-local" name=${name} value=${fields[name] ?? ''} title=${texts.timeHint} />`,
    );
  return {
    title: CONSOLE[language].nav.deadLetters,
    place: 'deadLetters',
    main: html`<h1>${CONSOLE[language].nav.deadLetters}</h1>
      <div class="bar">
        ${filterForm(
          '/console/dead-letters',
          texts.filter,
          html`${words(texts.why, 'deadReason', fields['deadReason'], 'attempts_exhausted')}
          ${words(texts.course, 'courseId', fields['courseId'])} ${time(texts.after, 'diedAfter')}
          ${time(texts.before, 'diedBefore')}`,
        )}
      </div>
      ${
        visit.may(redriveDeadLetters) &&
        deadLetters.length > 0 &&
        (Object.keys(filter).length === 0
          ? html`<p class="fine">${texts.needsFilter}</p>`
          : actionForm(
              session,
              {
                path: '/console/dead-letters/redrive',
                label: `${texts.redrive}: ${texts.preview}`,
                hidden: { ...filter, dryRun: 'true' },
              },
              reasonField(language),
            ))
      }
      ${table(
        language,
        CONSOLE[language].nav.deadLetters,
        [
          { head: texts.order, cell: ({ orderCode }) => jobLink(orderCode) },
          { head: texts.why, cell: ({ deadReason }) => html`<code>${deadReason}</code>` },
          { head: texts.attempts, cell: ({ attempts }) => outcomes(attempts) },
          { head: texts.course, cell: ({ courseId }) => courseId },
          { head: texts.email, cell: ({ email }) => email },
          { head: texts.redrives, cell: ({ redrives }) => redrives, isNumber: true },
          { head: texts.died, cell: ({ diedAt }) => when(diedAt) },
        ],
        deadLetters,
        texts.none,
      )}
      ${pager(language, '/console/dead-letters', fields, nextCursor)}`,
  };
}

/** First what would be sent; the same filter and reason, confirmed, send it. */
async function redrive(visit: Visit, form: Fields): Promise<ConsolePage> {
  const { language, session } = visit;
  const texts = TEXTS[language];
  const filter = filterOf(form);
  const isPreview = form['dryRun'] === 'true';
  const { jobs, more } = await visit.call(redriveDeadLetters, {
    body: { filter, reason: form['reason'], dryRun: isPreview },
  });
  return {
    title: isPreview ? texts.preview : texts.result,
    place: 'deadLetters',
    main: html`<h1>${isPreview ? texts.previewed : texts.result}</h1>
      ${table(
        language,
        texts.result,
        [
          { head: texts.order, cell: ({ orderCode }) => jobLink(orderCode) },
          { head: texts.why, cell: ({ deadReason }) => html`<code>${deadReason}</code>` },
          { head: texts.result, cell: ({ result }) => pill(result, result === 'redriven' ? 'good' : 'busy') },
        ],
        jobs,
        texts.nothingToSend,
      )}
      ${more && html`<p class="note warn">${texts.more}</p>`}
      ${
        isPreview &&
        jobs.length > 0 &&
        html`<form method="post" action="/console/dead-letters/redrive">
          ${formToken(session)}
          ${Object.entries({ ...filter, reason: form['reason'] ?? '' }).map(
            ([name, value]) => html`<input type="hidden" name=${name} value=${value} />`,
          )}
          <button class="grave">${texts.send} (${jobs.length})</button>
        </form>`
      }
      <p><a href="/console/dead-letters">${texts.back}</a></p>`,
  };
}

export function addDeadLetters(gate: Gate): void {
  gate.get('/console/dead-letters', deadLettersPage);
  gate.post('/console/dead-letters/redrive', redrive);
}
