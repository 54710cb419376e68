import { listLogReads } from '../../operators/log-operations.ts';
import { cancelOne, retryOne, setPriority } from '../../operators/intervention-operations.ts';
import { showJob } from '../../operators/job-operations.ts';
import { showSamples } from '../../operators/sample-operations.ts';
import { bytesText, vndText } from '../client/figures.ts';
import { html, type Html } from '../html.ts';
import type { Gate, Visit } from './gate.ts';
import { attemptCard } from './attempt-card.ts';
import { JOB } from './job-texts.ts';
import { gravityOf } from './jobs-page.ts';
import { actionForm, field, pill, reasonField, table, when } from './parts.ts';
import type { ConsolePage } from './shell.ts';
import { timeline } from './timeline.ts';
import { stateWord } from './words.ts';

const CAN_BE_CANCELLED: ReadonlySet<string> = new Set(['paid', 'enrolling', 'enrolled', 'attempting']);

export type Job = Awaited<ReturnType<typeof jobOf>>;
const jobOf = (visit: Visit, job: string) => visit.call(showJob, { params: { job } });

function actions(visit: Visit, job: Job): Html {
  const { language, session } = visit;
  const texts = JOB[language];
  const path = `/console/jobs/${job.orderCode}`;
  return html`<div class="actions">
    ${
      job.state === 'dead' &&
      visit.may(retryOne) &&
      actionForm(session, { path: `${path}/retry`, label: texts.retry }, reasonField(language))
    }
    ${
      CAN_BE_CANCELLED.has(job.state) &&
      visit.may(setPriority) &&
      actionForm(
        session,
        { path: `${path}/priority`, label: texts.setPriority },
        field(
          `${texts.priority} (−10…10). ${texts.hint}`,
          (id) =>
            html`<input id=${id} name="priority" type="number" min="-10" max="10" value=${job.priority} required />`,
        ),
      )
    }
    ${
      CAN_BE_CANCELLED.has(job.state) &&
      visit.may(cancelOne) &&
      actionForm(session, { path: `${path}/cancel`, label: texts.cancel, isGrave: true }, reasonField(language))
    }
  </div>`;
}

function facts(visit: Visit, job: Job): Html {
  const { language } = visit;
  const texts = JOB[language];
  const rows: (readonly [string, unknown])[] = [
    [texts.course, html`${job.courseTitle} <span class="soft">${job.courseId}</span>`],
    [texts.email, job.order.email],
    [texts.paid, `${vndText(language, job.order.paidVnd)} ${texts.of} ${vndText(language, job.order.amountVnd)}`],
    [texts.priority, job.priority],
    [texts.spent, job.attemptsSpent],
    [texts.losses, job.losses],
    ...(job.redrives > 0 ? [[texts.redrives, `${job.redrives}: ${job.redriveReason ?? ''}`] as const] : []),
    ...(job.folderId === null
      ? []
      : [
          [
            texts.folder,
            html`<a
              href=${`https://drive.google.com/drive/folders/${encodeURIComponent(job.folderId)}`}
              rel="noreferrer"
              >${texts.openFolder}</a
            >`,
          ] as const,
        ]),
  ];
  return html`<dl class="facts">
    ${rows.map(
      ([name, value]) =>
        html`<div>
          <dt>${name}</dt>
          <dd>${value}</dd>
        </div>`,
    )}
  </dl>`;
}

const files = ({ language }: Visit, job: Job): Html => {
  const texts = JOB[language];
  return html`${table(
    language,
    texts.files,
    [
      { head: texts.name, cell: ({ path }) => path, isWide: true },
      { head: texts.bytes, cell: ({ bytes }) => bytesText(language, bytes), isNumber: true },
      { head: texts.checksum, cell: ({ sha256 }) => html`<code class="hash">${sha256}</code>` },
    ],
    job.files,
    texts.noFiles,
  )}
  ${job.filesTotal > job.files.length && html`<p class="fine">+ ${job.filesTotal - job.files.length} ${texts.more}</p>`}`;
};

async function readers(visit: Visit, job: Job): Promise<Html> {
  const { language } = visit;
  const texts = JOB[language];
  const { reads } = await visit.call(listLogReads, { params: { job: job.id } });
  return table(
    language,
    texts.readers,
    [
      { head: texts.who, cell: ({ person }) => person },
      { head: texts.attempt, cell: ({ attempt }) => attempt, isNumber: true },
      { head: texts.via, cell: ({ via, reader }) => (reader === 'lading_api' ? via : `${via} (${reader})`) },
      { head: texts.reason, cell: ({ reason }) => reason ?? '', isWide: true },
      { head: texts.times, cell: ({ times }) => times, isNumber: true },
      { head: texts.last, cell: ({ lastAt }) => when(lastAt) },
    ],
    reads,
    texts.noReaders,
  );
}

async function jobPage(visit: Visit): Promise<ConsolePage> {
  const { language } = visit;
  const texts = JOB[language];
  const job = await jobOf(visit, visit.ctx.params['job'] ?? '');
  // The latest is what somebody comes for; of the others the figures wait behind a link.
  const shown = Number(visit.query['attempt'] ?? job.attemptList.at(-1)?.n ?? 0);
  const samples =
    shown > 0 && job.attemptList.some(({ n }) => n === shown)
      ? await visit.call(showSamples, { params: { job: job.id }, query: { attempt: shown } })
      : undefined;
  return {
    title: `${texts.job} ${job.orderCode}`,
    place: 'jobs',
    liveFrom: `/console/jobs/${job.orderCode}/events`,
    scripts: ['console-plot.ts'],
    main: html`<h1><code>${job.orderCode}</code> ${pill(stateWord(language, job.state), gravityOf(job.state))}</h1>
      ${
        job.deadReason !== null &&
        html`<div class="note bad">
          <p>
            <strong>${texts.dead}: <code>${job.deadReason}</code></strong> ${job.deadDetail}
          </p>
        </div>`
      }
      ${actions(visit, job)} ${facts(visit, job)}
      <section>
        <h2>${texts.attempts}</h2>
        ${job.attemptList.length === 0 && html`<p class="empty">${texts.noAttempts}</p>`}
        ${job.attemptList.toReversed().map((attempt) => attemptCard(visit, job, attempt, attempt.n === shown ? samples : undefined))}
      </section>
      <section>
        <h2>${texts.timeline}</h2>
        ${timeline(visit, job)}
      </section>
      <section>
        <h2>${texts.files}</h2>
        ${files(visit, job)}
      </section>
      <section>
        <h2>${texts.readers}</h2>
        ${await readers(visit, job)}
      </section>`,
  };
}

export function addJob(gate: Gate): void {
  gate.get('/console/jobs/:job', jobPage);
  const back = (visit: Visit): string => `/console/jobs/${encodeURIComponent(visit.ctx.params['job'] ?? '')}`;
  gate.post('/console/jobs/:job/retry', async (visit, { reason }) => {
    await visit.call(retryOne, { params: visit.ctx.params, body: { reason } });
    return back(visit);
  });
  gate.post('/console/jobs/:job/cancel', async (visit, { reason }) => {
    await visit.call(cancelOne, { params: visit.ctx.params, body: { reason } });
    return back(visit);
  });
  gate.post('/console/jobs/:job/priority', async (visit, { priority }) => {
    await visit.call(setPriority, { params: visit.ctx.params, body: { priority: Number(priority) } });
    return back(visit);
  });
}
