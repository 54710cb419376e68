import { showEngines, showQueue, pauseQueue, resumeQueue } from '../../operators/queue-operations.ts';
import { showOverview } from '../../operators/overview-operation.ts';
import { showSlo } from '../../operators/slo-operation.ts';
import { html, type Html } from '../html.ts';
import type { Language, Texts } from '../language.ts';
import { clockText } from '../client/figures.ts';
import { engineTable } from './engine-table.ts';
import type { Gate, Visit } from './gate.ts';
import { actionForm, pill, plot, reasonField, table, when } from './parts.ts';
import type { ConsolePage } from './shell.ts';
import { formToken } from './shell.ts';
import { CONSOLE } from './texts.ts';

const DAY_HOURS = '24';
const MONTH_HOURS = String(30 * 24);

type OverviewTexts = Readonly<
  Record<
    | 'waiting'
    | 'running'
    | 'longest'
    | 'steps'
    | 'stuck'
    | 'unplaced'
    | 'died'
    | 'completed'
    | 'cancelled'
    | 'throughput'
    | 'failures'
    | 'hour'
    | 'targets'
    | 'target'
    | 'wanted'
    | 'day'
    | 'month'
    | 'measures'
    | 'paused'
    | 'pause'
    | 'resume'
    | 'nothing'
    | 'needsYou'
    | 'calm',
    string
  >
> & { names: Readonly<Record<string, string>>; measured: Readonly<Record<string, string>>; minutes: string };

const TEXTS: Texts<OverviewTexts> = {
  vi: {
    waiting: 'đang chờ',
    running: 'đang chạy',
    longest: 'chờ lâu nhất',
    steps: 'bước đang đến lượt',
    stuck: 'bị kẹt',
    unplaced: 'tiền chưa khớp',
    died: 'hỏng trong 24 giờ',
    completed: 'hoàn thành',
    cancelled: 'đã hủy',
    throughput: 'Hoàn thành mỗi giờ, 24 giờ qua',
    failures: 'Hỏng và hủy mỗi giờ, 24 giờ qua',
    hour: 'Giờ',
    targets: 'Năm mục tiêu',
    target: 'Mục tiêu',
    wanted: 'Yêu cầu',
    day: '24 giờ',
    month: '30 ngày',
    measures: 'Đo bằng',
    paused: 'Hàng đợi đang tạm dừng',
    pause: 'Tạm dừng hàng đợi',
    resume: 'Chạy tiếp',
    nothing: 'chưa có số liệu',
    needsYou: 'Cần bạn xem',
    calm: 'Mọi thứ đang chạy, không có gì cần bạn.',
    minutes: 'phút',
    measured: {
      processing_mean: 'từ lúc trả tiền đến lúc giao, trung bình của việc đã hoàn thành',
      uptime: 'lúc ít nhất một máy trả lời; API có trả lời không thì hệ giám sát nói',
      failed: 'việc hỏng trên mọi việc đã kết thúc; không tính việc bị hủy',
      queue_wait: 'từ lúc trả tiền đến phong bì của lần thử đầu, trung bình',
      retry_success: 'việc hoàn thành trên mọi việc đã kết thúc sau hơn một lần thử',
    },
    names: {
      processing_mean: 'Thời gian xử lý',
      uptime: 'Hoạt động',
      failed: 'Hỏng',
      queue_wait: 'Chờ trong hàng',
      retry_success: 'Thử lại thành công',
    },
  },
  en: {
    waiting: 'waiting',
    running: 'running',
    longest: 'longest wait',
    steps: 'steps due',
    stuck: 'stuck',
    unplaced: 'unplaced money',
    died: 'dead within 24 h',
    completed: 'completed',
    cancelled: 'cancelled',
    throughput: 'Completed each hour, last 24 h',
    failures: 'Dead and cancelled each hour, last 24 h',
    hour: 'Hour',
    targets: 'The five targets',
    target: 'Target',
    wanted: 'Wanted',
    day: '24 h',
    month: '30 days',
    measures: 'Measures',
    paused: 'The queue is paused',
    pause: 'Pause the queue',
    resume: 'Go on',
    nothing: 'nothing measured',
    needsYou: 'Needs you',
    calm: 'All is at work; nothing needs you.',
    minutes: 'min',
    measured: {},
    names: {
      processing_mean: 'Processing time',
      uptime: 'Uptime',
      failed: 'Failed',
      queue_wait: 'Queue wait',
      retry_success: 'Retry success',
    },
  },
};

type Slo = Awaited<ReturnType<typeof sloOf>>;
const sloOf = (visit: Visit, hours: string) => visit.call(showSlo, { query: { hours } });

const SLO_DIGITS = 1;
function actualText(language: Language, target: Slo['targets'][number] | undefined): Html {
  if (!target || target.actual === null) return html`<span class="soft">${TEXTS[language].nothing}</span>`;
  const unit = target.unit === 'percent' ? '%' : TEXTS[language].minutes;
  const text = `${target.actual.toFixed(SLO_DIGITS)} ${unit}`;
  return target.holds === false ? pill(`✕ ${text}`, 'bad') : pill(`✓ ${text}`, 'good');
}

function targets(language: Language, day: Slo, month: Slo): Html {
  const texts = TEXTS[language];
  const ofMonth = new Map(month.targets.map((target) => [target.name, target]));
  return table(
    language,
    texts.targets,
    [
      { head: texts.target, cell: ({ name }) => html`<strong>${texts.names[name] ?? name}</strong>` },
      { head: texts.wanted, cell: ({ target }) => target.replace('minutes', texts.minutes) },
      { head: texts.day, cell: (target) => actualText(language, target) },
      { head: texts.month, cell: ({ name }) => actualText(language, ofMonth.get(name)) },
      {
        head: texts.measures,
        cell: ({ name, measures }) => html`<span class="soft">${texts.measured[name] ?? measures}</span>`,
        isWide: true,
      },
    ],
    day.targets,
  );
}

const tile = (label: string, value: unknown, href?: string, isGrave = false): Html =>
  html`<li class=${isGrave ? 'tile bad' : 'tile'}>
    ${href === undefined ? html`<strong>${value}</strong>` : html`<a href=${href}><strong>${value}</strong></a>`}
    <span>${label}</span>
  </li>`;

async function overviewPage(visit: Visit): Promise<ConsolePage> {
  const { language, session } = visit;
  const texts = TEXTS[language];
  const [overview, queue, { engines }, day, month] = [
    await visit.call(showOverview),
    await visit.call(showQueue),
    await visit.call(showEngines),
    await sloOf(visit, DAY_HOURS),
    await sloOf(visit, MONTH_HOURS),
  ];
  const hours = overview.hours;
  const died = hours.reduce((sum, { dead }) => sum + dead, 0);
  const isCalm = died + overview.unplaced + overview.stuck === 0;
  const x = hours.map(({ at }) => Date.parse(at) / 1_000);
  const hourTable = (names: readonly ('completed' | 'dead' | 'cancelled')[]): Html =>
    table(
      language,
      texts.hour,
      [
        { head: texts.hour, cell: ({ at }) => when(at) },
        ...names.map((name) => ({
          head: name === 'dead' ? texts.died : texts[name],
          cell: (hour: (typeof hours)[number]) => hour[name],
          isNumber: true,
        })),
      ],
      hours,
    );
  return {
    title: CONSOLE[language].nav.overview,
    place: 'overview',
    liveFrom: '/console/events',
    scripts: ['console-plot.ts'],
    main: html`<h1>${CONSOLE[language].nav.overview}</h1>
      ${
        queue.pausedAt !== null &&
        html`<div class="note warn row">
          <p><strong>${texts.paused}</strong> ${when(queue.pausedAt)} · ${queue.reason}</p>
          ${
            visit.may(resumeQueue) &&
            html`<form method="post" action="/console/queue/resume">
              ${formToken(session)}<button class="small">${texts.resume}</button>
            </form>`
          }
        </div>`
      }
      <ul class="tiles">
        ${tile(texts.running, queue.running, '/console/jobs?state=attempting')}
        ${tile(texts.waiting, overview.waiting, '/console/jobs?state=enrolled')}
        ${tile(texts.longest, overview.waiting === 0 ? '–' : clockText(overview.waitingLongestSeconds))}
        ${tile(texts.steps, overview.steps)} ${tile(texts.stuck, overview.stuck, undefined, overview.stuck > 0)}
        ${tile(texts.died, died, '/console/dead-letters', died > 0)}
        ${tile(texts.unplaced, overview.unplaced, '/console/payments', overview.unplaced > 0)}
      </ul>
      ${isCalm && html`<p class="calm">${texts.calm}</p>`}
      <section class="two">
        ${plot(
          language,
          texts.throughput,
          {
            kind: 'bars',
            x,
            clock: 'day',
            unit: 'count',
            series: [{ label: texts.completed, colour: 'good', values: hours.map((hour) => hour.completed) }],
          },
          hourTable(['completed']),
        )}
        ${plot(
          language,
          texts.failures,
          {
            kind: 'bars',
            x,
            clock: 'day',
            unit: 'count',
            series: [
              { label: CONSOLE[language].nav.deadLetters, colour: 'bad', values: hours.map((hour) => hour.dead) },
              { label: texts.cancelled, colour: 'soft', values: hours.map((hour) => hour.cancelled) },
            ],
          },
          hourTable(['dead', 'cancelled']),
        )}
      </section>
      <section>
        <h2>${texts.targets}</h2>
        ${targets(language, day, month)}
      </section>
      <section>
        <h2>${CONSOLE[language].nav.engines}</h2>
        ${engineTable(visit, engines)}
      </section>
      ${
        visit.may(pauseQueue) &&
        queue.pausedAt === null &&
        actionForm(session, { path: '/console/queue/pause', label: texts.pause, isGrave: true }, reasonField(language))
      }`,
  };
}

export function addOverview(gate: Gate): void {
  gate.get('/console', overviewPage);
  gate.post('/console/queue/pause', async (visit, { reason }) => {
    await visit.call(pauseQueue, { body: { reason } });
    return '/console';
  });
  gate.post('/console/queue/resume', async (visit) => {
    await visit.call(resumeQueue);
    return '/console';
  });
}
