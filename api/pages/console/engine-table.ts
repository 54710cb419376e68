import { drainEngine, undrainEngine, type EngineAnswer } from '../../operators/queue-operations.ts';
import { bytesText } from '../client/figures.ts';
import { html, type Html } from '../html.ts';
import type { Texts } from '../language.ts';
import type { Gate, Visit } from './gate.ts';
import { actionForm, pill, reasonField, table, when } from './parts.ts';
import { CONSOLE } from './texts.ts';

const TEXTS: Texts<
  Readonly<
    Record<
      | 'engine'
      | 'slots'
      | 'launching'
      | 'memory'
      | 'disk'
      | 'state'
      | 'open'
      | 'quarantine'
      | 'drained'
      | 'drain'
      | 'undrain'
      | 'floor'
      | 'about',
      string
    >
  >
> = {
  vi: {
    engine: 'Máy',
    slots: 'Container',
    launching: 'Đang khởi động',
    memory: 'Bộ nhớ',
    disk: 'Đĩa trống',
    state: 'Tình trạng',
    open: 'nhận việc',
    quarantine: 'cách ly: không trả lời',
    drained: 'đang rút việc',
    drain: 'Rút việc',
    undrain: 'Nhận việc lại',
    floor: 'sàn',
    about:
      'Rút việc: không lần thử mới nào bắt đầu ở máy này, việc đang chạy vẫn chạy tiếp. Cách ly là tự động khi Docker không trả lời, và tự hết khi nó trả lời lại.',
  },
  en: {
    engine: 'Engine',
    slots: 'Containers',
    launching: 'Launching',
    memory: 'Memory',
    disk: 'Disk free',
    state: 'State',
    open: 'takes jobs',
    quarantine: 'quarantine: does not answer',
    drained: 'drained',
    drain: 'Drain',
    undrain: 'Undrain',
    floor: 'floor',
    about:
      'Drained: no attempt begins there, and what runs goes on. Quarantine comes by itself while the daemon does not answer, and goes when it does.',
  },
};

const share = (used: number, whole: number): Html =>
  html`<meter
    min="0"
    max=${Math.max(whole, 1)}
    value=${Math.min(used, whole)}
    aria-label=${`${used} / ${whole}`}
  ></meter>`;

const remark = (text: string | null): Html => html`<span class="soft remark">${text}</span>`;

/** Engines with what of them is taken; with forms to drain where the session may. */
export function engineTable(visit: Visit, engines: readonly EngineAnswer[]): Html {
  const { language, session } = visit;
  const texts = TEXTS[language];
  const state = (engine: EngineAnswer): Html => {
    if (engine.quarantinedAt !== null)
      return html`${pill(texts.quarantine, 'bad')} ${when(engine.quarantinedAt)}${remark(engine.quarantineReason)}`;
    if (engine.drainedAt !== null)
      return html`${pill(texts.drained, 'warn')} ${when(engine.drainedAt)}${remark(engine.drainReason)}`;
    return pill(texts.open, 'good');
  };
  const act = ({ name, drainedAt }: EngineAnswer): Html | false =>
    drainedAt === null
      ? visit.may(drainEngine) &&
        actionForm(
          session,
          { path: '/console/engines/drain', label: texts.drain, hidden: { engine: name } },
          reasonField(language),
        )
      : visit.may(undrainEngine) &&
        actionForm(session, { path: '/console/engines/undrain', label: texts.undrain, hidden: { engine: name } }, null);
  return table(
    language,
    CONSOLE[language].nav.engines,
    [
      { head: texts.engine, cell: ({ name }) => html`<strong>${name}</strong>` },
      {
        head: texts.slots,
        cell: ({ slots, slotsUsed }) => html`${share(slotsUsed, slots)} ${slotsUsed} / ${slots}`,
        isNumber: true,
      },
      { head: texts.launching, cell: ({ launching, launchesMax }) => `${launching} / ${launchesMax}`, isNumber: true },
      {
        head: texts.memory,
        cell: ({ memoryUsed, memoryBytes }) =>
          html`${share(memoryUsed, memoryBytes)}
          ${`${bytesText(language, memoryUsed)} / ${bytesText(language, memoryBytes)}`}`,
        isNumber: true,
      },
      {
        head: texts.disk,
        cell: ({ diskFreeBytes, diskFloorBytes }) =>
          diskFreeBytes === null
            ? '–'
            : `${bytesText(language, diskFreeBytes)} (${texts.floor} ${bytesText(language, diskFloorBytes)})`,
        isNumber: true,
      },
      { head: texts.state, cell: state, isWide: true },
      ...(visit.may(drainEngine) ? [{ head: '', cell: act }] : []),
    ],
    engines,
  );
}

export const engineRemark = (visit: Visit): Html => html`<p class="fine">${TEXTS[visit.language].about}</p>`;

export function addEngineForms(gate: Gate): void {
  gate.post('/console/engines/drain', async (visit, { engine, reason }) => {
    await visit.call(drainEngine, { params: { engine }, body: { reason } });
    return '/console/engines';
  });
  gate.post('/console/engines/undrain', async (visit, { engine }) => {
    await visit.call(undrainEngine, { params: { engine } });
    return '/console/engines';
  });
}
