import { showEngines } from '../../operators/queue-operations.ts';
import { suggestProfiles } from '../../operators/sample-operations.ts';
import { bytesText } from '../client/figures.ts';
import { html } from '../html.ts';
import type { Language, Texts } from '../language.ts';
import { addEngineForms, engineRemark, engineTable } from './engine-table.ts';
import type { Gate, Visit } from './gate.ts';
import { pill, table } from './parts.ts';
import type { ConsolePage } from './shell.ts';
import { CONSOLE } from './texts.ts';

const TEXTS: Texts<
  Readonly<
    Record<
      | 'limits'
      | 'profile'
      | 'what'
      | 'attempts'
      | 'limit'
      | 'p95'
      | 'max'
      | 'suggested'
      | 'reason'
      | 'memory'
      | 'cpu'
      | 'keep'
      | 'none',
      string
    >
  >
> = {
  vi: {
    limits: 'Giới hạn của hồ sơ so với 30 ngày qua',
    profile: 'Hồ sơ',
    what: 'Thứ',
    attempts: 'Lần thử',
    limit: 'Giới hạn',
    p95: 'p95 của đỉnh',
    max: 'Cao nhất',
    suggested: 'Nên đặt',
    reason: 'Vì sao',
    memory: 'bộ nhớ',
    cpu: 'CPU',
    keep: 'giữ',
    none: 'Chưa có lần thử nào được đo.',
  },
  en: {
    limits: 'Limits of the profiles against the last 30 days',
    profile: 'Profile',
    what: 'Of',
    attempts: 'Attempts',
    limit: 'Limit',
    p95: 'p95 of peaks',
    max: 'Largest',
    suggested: 'Suggested',
    reason: 'Why',
    memory: 'memory',
    cpu: 'processors',
    keep: 'keep',
    none: 'No attempt was sampled yet.',
  },
};

const MILLI = 1_000;
const cpus = (_: Language, milli: number): string => (milli / MILLI).toFixed(2);

async function enginesPage(visit: Visit): Promise<ConsolePage> {
  const { language } = visit;
  const texts = TEXTS[language];
  const { engines } = await visit.call(showEngines);
  const { profiles } = await visit.call(suggestProfiles);
  const rows = profiles.flatMap(({ profile, attempts, memoryBytes, cpuMilli }) => [
    { profile, attempts, what: texts.memory, show: bytesText, advice: memoryBytes },
    { profile, attempts, what: texts.cpu, show: cpus, advice: cpuMilli },
  ]);
  type Row = (typeof rows)[number];
  const figure =
    (of: 'limit' | 'p95' | 'max') =>
    ({ show, advice }: Row): string => {
      const value = advice[of];
      return value === null ? '–' : show(language, value);
    };
  return {
    title: CONSOLE[language].nav.engines,
    place: 'engines',
    liveFrom: '/console/events',
    main: html`<h1>${CONSOLE[language].nav.engines}</h1>
      ${engineTable(visit, engines)} ${engineRemark(visit)}
      <section>
        <h2>${texts.limits}</h2>
        ${table(
          language,
          texts.limits,
          [
            { head: texts.profile, cell: ({ profile }) => profile },
            { head: texts.what, cell: ({ what }) => what },
            { head: texts.attempts, cell: ({ attempts }) => attempts, isNumber: true },
            { head: texts.limit, cell: figure('limit'), isNumber: true },
            { head: texts.p95, cell: figure('p95'), isNumber: true },
            { head: texts.max, cell: figure('max'), isNumber: true },
            {
              head: texts.suggested,
              cell: ({ show, advice }) =>
                advice.verdict === 'raise' || advice.verdict === 'lower'
                  ? pill(`${advice.verdict === 'raise' ? '↑' : '↓'} ${show(language, advice.suggested ?? 0)}`, 'warn')
                  : advice.verdict === 'keep'
                    ? texts.keep
                    : '–',
            },
            {
              head: texts.reason,
              cell: ({ advice }) => html`<span class="soft">${advice.reason}</span>`,
              isWide: true,
            },
          ],
          rows,
          texts.none,
        )}
      </section>`,
  };
}

export function addEngines(gate: Gate): void {
  gate.get('/console/engines', enginesPage);
  addEngineForms(gate);
}
