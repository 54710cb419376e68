import { z } from 'zod';
import type { showSamples } from '../../operators/sample-operations.ts';
import { bytesText, clockText } from '../client/figures.ts';
import { html, type Html } from '../html.ts';
import type { Language } from '../language.ts';
import type { Visit } from './gate.ts';
import type { Job } from './job-page.ts';
import { JOB } from './job-texts.ts';
import { pill, plot, table, when } from './parts.ts';
import { outcomeMeaning, stateWord } from './words.ts';

type Attempt = Job['attemptList'][number];
type Samples = Awaited<ReturnType<(typeof showSamples)['act']>>;

const limitsShape = z.object({
  memoryBytes: z.number().optional(),
  nanoCpus: z.number().optional(),
  pids: z.number().optional(),
  deadlineSeconds: z.number().optional(),
});
const NANOS = 1_000_000_000;
const MILLI = 1_000;
const CONTAINER_SHOWN_CHARS = 12;

function limitsText(language: Language, attempt: Attempt): string {
  const texts = JOB[language];
  const { memoryBytes, nanoCpus, pids, deadlineSeconds } = limitsShape.safeParse(attempt.limits).data ?? {};
  return [
    memoryBytes !== undefined && bytesText(language, memoryBytes),
    nanoCpus !== undefined && `${nanoCpus / NANOS} CPU`,
    pids !== undefined && `${pids} ${texts.pids}`,
    deadlineSeconds !== undefined && `${texts.deadline} ${clockText(deadlineSeconds)}`,
  ]
    .filter((text) => text !== false)
    .join(' · ');
}

const ranFor = ({ runningAt, settledAt }: Attempt): string | Html =>
  runningAt === null || settledAt === null
    ? html`<span class="soft">–</span>`
    : clockText((Date.parse(settledAt) - Date.parse(runningAt)) / 1_000);

/** Memory and processors while it ran, each against its limit. */
function usage(language: Language, samples: Samples): Html {
  const texts = JOB[language];
  const { points, memoryLimitBytes, cpuLimitMilli } = samples;
  if (points.length === 0) return html`<p class="fine">${texts.noSamples}</p>`;
  const x = points.map(({ atSeconds }) => atSeconds);
  const asTable = table(
    language,
    texts.used,
    [
      { head: texts.time, cell: ({ atSeconds }) => atSeconds, isNumber: true },
      { head: texts.memory, cell: ({ memoryBytes }) => bytesText(language, memoryBytes), isNumber: true },
      {
        head: texts.cpu,
        cell: ({ cpuMilli }) => (cpuMilli === null ? '–' : (cpuMilli / MILLI).toFixed(2)),
        isNumber: true,
      },
    ],
    points,
  );
  const peak = Math.max(...points.map(({ memoryBytes }) => memoryBytes));
  const memory = `${texts.memory}: ${bytesText(language, peak)}${memoryLimitBytes === null ? '' : ` / ${bytesText(language, memoryLimitBytes)}`}`;
  const cpuPeak = Math.max(0, ...points.map(({ cpuMilli }) => cpuMilli ?? 0)) / MILLI;
  const cpu = `${texts.cpu}: ${cpuPeak.toFixed(2)}${cpuLimitMilli === null ? '' : ` / ${cpuLimitMilli / MILLI}`}`;
  return html`<div class="two">
    ${plot(
      language,
      memory,
      {
        kind: 'lines',
        x,
        clock: 'passed',
        unit: 'bytes',
        limit: memoryLimitBytes,
        series: [{ label: texts.used, colour: 'accent', values: points.map(({ memoryBytes }) => memoryBytes) }],
      },
      asTable,
    )}
    ${plot(
      language,
      cpu,
      {
        kind: 'lines',
        x,
        clock: 'passed',
        unit: 'cpus',
        limit: cpuLimitMilli === null ? null : cpuLimitMilli / MILLI,
        series: [
          {
            label: texts.used,
            colour: 'warn',
            values: points.map(({ cpuMilli }) => (cpuMilli === null ? null : cpuMilli / MILLI)),
          },
        ],
      },
      asTable,
    )}
  </div>`;
}

/** `samples` of the one attempt whose figures are shown. */
export function attemptCard({ language }: Visit, job: Job, attempt: Attempt, samples: Samples | undefined): Html {
  const texts = JOB[language];
  const path = `/console/jobs/${job.orderCode}`;
  const ending =
    attempt.outcome === null
      ? pill(stateWord(language, attempt.state), 'busy')
      : pill(attempt.outcome, attempt.outcome === 'succeeded' ? 'good' : 'bad');
  const rows: (readonly [string, unknown])[] = [
    [texts.outcome, html`${ending} <span class="soft">${outcomeMeaning(language, attempt.outcome)}</span>`],
    ...(attempt.detail ? [['', attempt.detail] as const] : []),
    [
      texts.exit,
      html`<code>${attempt.exitCode ?? '–'}</code>
        ${attempt.stopReason && html`<span class="soft">${attempt.stopReason} ${attempt.stopDetail}</span>`}`,
    ],
    [texts.began, when(attempt.runningAt ?? attempt.createdAt)],
    [texts.took, ranFor(attempt)],
    [
      texts.engine,
      html`${`${attempt.engine} `}${attempt.containerId !== null && html`<code class="soft" title=${attempt.containerId}>${attempt.containerId.slice(0, CONTAINER_SHOWN_CHARS)}</code>`}`,
    ],
    [texts.limits, html`${attempt.profile} <span class="soft">${limitsText(language, attempt)}</span>`],
  ];
  return html`<article class="attempt" aria-label=${`${texts.attempt} ${attempt.n}`}>
    <header>
      <h3>${texts.attempt} ${attempt.n}</h3>
      <a class="button quiet small" href=${`${path}/logs?attempt=${attempt.n}`}>${texts.log}</a>
      ${
        samples === undefined &&
        attempt.runningAt !== null &&
        html`<a class="button quiet small" href=${`${path}?attempt=${attempt.n}`}>${texts.memory}, ${texts.cpu}</a>`
      }
    </header>
    <dl class="facts">
      ${rows.map(
        ([name, value]) =>
          html`<div>
            <dt>${name}</dt>
            <dd>${value}</dd>
          </div>`,
      )}
    </dl>
    ${samples && usage(language, samples)}
  </article>`;
}
