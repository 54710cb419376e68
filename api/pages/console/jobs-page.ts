import { JOB_STATES } from '../../../sql/jobs.ts';
import { listJobs } from '../../operators/job-operations.ts';
import { html, type Html } from '../html.ts';
import type { Language, Texts } from '../language.ts';
import type { Gate, Visit } from './gate.ts';
import { choice, filterForm, pager, pill, table, when, words } from './parts.ts';
import type { ConsolePage } from './shell.ts';
import { CONSOLE } from './texts.ts';
import { stateWord } from './words.ts';

const TEXTS: Texts<
  Readonly<
    Record<
      | 'find'
      | 'order'
      | 'course'
      | 'state'
      | 'attempts'
      | 'priority'
      | 'why'
      | 'made'
      | 'moved'
      | 'filter'
      | 'findHint'
      | 'go'
      | 'none',
      string
    >
  >
> = {
  vi: {
    find: 'Mã đơn, mã công việc hoặc email',
    findHint: 'LD… hoặc email',
    go: 'Tìm',
    filter: 'Lọc',
    order: 'Đơn',
    course: 'Khóa học',
    state: 'Trạng thái',
    attempts: 'Lần thử',
    priority: 'Ưu tiên',
    why: 'Lý do hỏng',
    made: 'Tạo lúc',
    moved: 'Đổi lúc',
    none: 'Không có công việc nào khớp với bộ lọc này.',
  },
  en: {
    find: 'Order code, job id or e-mail',
    findHint: 'LD… or an address',
    go: 'Find',
    filter: 'Filter',
    order: 'Order',
    course: 'Course',
    state: 'State',
    attempts: 'Attempts',
    priority: 'Priority',
    why: 'Why dead',
    made: 'Made',
    moved: 'Moved',
    none: 'No job fits this filter.',
  },
};

/** One field for whatever somebody has in his hand. */
export const findForm = (language: Language): Html =>
  html`<form class="filter find" method="get" action="/console/find">
    ${words(TEXTS[language].find, 'q', undefined, TEXTS[language].findHint)}
    <button class="quiet">${TEXTS[language].go}</button>
  </form>`;

export const jobLink = (idOrCode: string, text = idOrCode): Html =>
  html`<a href=${`/console/jobs/${encodeURIComponent(idOrCode)}`}><code>${text}</code></a>`;

async function jobsPage(visit: Visit): Promise<ConsolePage> {
  const { language, query } = visit;
  const texts = TEXTS[language];
  const { jobs, nextCursor } = await visit.call(listJobs, { query });
  const { cursor, ...filter } = query;
  return {
    title: CONSOLE[language].nav.jobs,
    place: 'jobs',
    // Later pages stand still.
    ...(cursor === undefined && { liveFrom: '/console/events' }),
    main: html`<h1>${CONSOLE[language].nav.jobs}</h1>
      <div class="bar">
        ${filterForm(
          '/console/jobs',
          texts.filter,
          html`${choice(
            texts.state,
            'state',
            JOB_STATES.map((state) => [state, stateWord(language, state)] as const),
            filter['state'],
          )}
          ${words(texts.course, 'courseId', filter['courseId'])} ${words(texts.why, 'deadReason', filter['deadReason'])}`,
        )}
        ${findForm(language)}
      </div>
      ${table(
        language,
        CONSOLE[language].nav.jobs,
        [
          { head: texts.order, cell: ({ orderCode }) => jobLink(orderCode) },
          { head: texts.state, cell: ({ state }) => pill(stateWord(language, state), gravityOf(state)) },
          { head: texts.course, cell: ({ courseId }) => courseId },
          { head: texts.attempts, cell: ({ attempts }) => attempts, isNumber: true },
          { head: texts.priority, cell: ({ priority }) => priority, isNumber: true },
          { head: texts.why, cell: ({ deadReason }) => deadReason ?? '' },
          { head: texts.made, cell: ({ createdAt }) => when(createdAt) },
          { head: texts.moved, cell: ({ updatedAt }) => when(updatedAt) },
        ],
        jobs,
        texts.none,
      )}
      ${pager(language, '/console/jobs', filter, nextCursor)}`,
  };
}

/** The colour of a state of a job. */
export const gravityOf = (state: string): 'good' | 'bad' | 'busy' | '' => {
  if (state === 'completed') return 'good';
  if (state === 'dead' || state === 'failed') return 'bad';
  return ['attempting', 'delivering', 'downloading', 'enrolling'].includes(state) ? 'busy' : '';
};

export function addJobs(gate: Gate): void {
  gate.get('/console/jobs', jobsPage);
  gate.stream('/console/find', async ({ ctx, query }) => {
    const wanted = (query['q'] ?? '').trim();
    const path = wanted.includes('@')
      ? `/console/orders?${new URLSearchParams({ email: wanted })}`
      : `/console/jobs/${encodeURIComponent(wanted.toUpperCase().startsWith('LD') ? wanted.toUpperCase() : wanted)}`;
    ctx.redirect(wanted === '' ? '/console/jobs' : path);
    ctx.status = 303;
  });
}
