/** From the order to the delivery, in the order in which it happened. */
import { z } from 'zod';
import { html, type Html } from '../html.ts';
import type { Language } from '../language.ts';
import type { Visit } from './gate.ts';
import type { Job } from './job-page.ts';
import { JOB } from './job-texts.ts';
import { gravityOf } from './jobs-page.ts';
import { pill, when } from './parts.ts';
import { stateWord } from './words.ts';

type Step = { at: string; what: unknown; gravity: string; remark?: string | undefined };

const detailShape = z.looseObject({
  n: z.number().optional(),
  outcome: z.string().optional(),
  reason: z.string().optional(),
  detail: z.string().nullable().optional(),
  stop_reason: z.string().optional(),
});

function stepOf(language: Language, entry: Job['timeline'][number]): Step {
  const texts = JOB[language];
  const { n, outcome, reason, detail, stop_reason } = detailShape.safeParse(entry.detail ?? {}).data ?? {};
  if (entry.subject === 'attempt')
    return {
      at: entry.at,
      what: html`${texts.attempt} ${n}: ${stateWord(language, entry.to)}`,
      gravity: outcome === undefined ? 'busy' : outcome === 'succeeded' ? 'good' : 'bad',
      remark: outcome ?? stop_reason,
    };
  return {
    at: entry.at,
    what: entry.from === null ? texts.madeJob : pill(stateWord(language, entry.to), gravityOf(entry.to)),
    gravity: gravityOf(entry.to),
    remark: [reason, detail].filter((text) => text !== undefined && text !== null).join(': '),
  };
}

export function timeline({ language }: Visit, job: Job): Html {
  const texts = JOB[language];
  const { delivery, order } = job;
  const steps: Step[] = [
    { at: order.createdAt, what: texts.ordered, gravity: '' },
    ...job.timeline.map((entry) => stepOf(language, entry)),
    ...(delivery?.grantedAt
      ? [{ at: delivery.grantedAt, what: texts.granted, gravity: 'good', remark: delivery.grantedTo }]
      : []),
    ...(delivery?.mailedAt ? [{ at: delivery.mailedAt, what: texts.mailed, gravity: 'good' }] : []),
  ];
  return html`<ol class="timeline">
    ${steps
      .toSorted((a, b) => Date.parse(a.at) - Date.parse(b.at))
      .map(
        ({ at, what, gravity, remark }) =>
          html`<li class=${gravity}>
            ${when(at)} <span>${what} ${remark && html`<span class="soft">${remark}</span>`}</span>
          </li>`,
      )}
  </ol>`;
}
