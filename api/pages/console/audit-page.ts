import { showChanges } from '../../operators/change-operations.ts';
import { listReads, listSessions } from '../../operators/read-operations.ts';
import { html, type Html } from '../html.ts';
import type { Texts } from '../language.ts';
import type { Gate, Visit } from './gate.ts';
import { pager, pill, table, when } from './parts.ts';
import type { ConsolePage } from './shell.ts';
import { CONSOLE } from './texts.ts';

const TABS = ['changes', 'reads', 'sessions'] as const;
type Tab = (typeof TABS)[number];

const TEXTS: Texts<
  Readonly<
    Record<
      | Tab
      | 'at'
      | 'who'
      | 'did'
      | 'subject'
      | 'before'
      | 'after'
      | 'via'
      | 'read'
      | 'began'
      | 'used'
      | 'ended'
      | 'request'
      | 'open'
      | 'aboutReads',
      string
    >
  >
> = {
  vi: {
    changes: 'Ai đã đổi gì',
    reads: 'Ai đã xem gì',
    sessions: 'Ai đã đăng nhập',
    at: 'Lúc',
    who: 'Ai',
    did: 'Làm gì',
    subject: 'Với',
    before: 'Trước',
    after: 'Sau',
    via: 'Qua',
    read: 'Đã xem',
    began: 'Bắt đầu',
    used: 'Dùng lần cuối',
    ended: 'Kết thúc',
    request: 'Mã yêu cầu',
    open: 'đang mở',
    aboutReads: 'Mỗi người, mỗi thứ, ghi một lần mỗi giờ. Từng đoạn nhật ký đã đọc nằm ở trang của công việc.',
  },
  en: {
    changes: 'Who changed what',
    reads: 'Who read what',
    sessions: 'Who logged in',
    at: 'At',
    who: 'Who',
    did: 'Did',
    subject: 'To',
    before: 'Before',
    after: 'After',
    via: 'Via',
    read: 'Read',
    began: 'Began',
    used: 'Last used',
    ended: 'Ended',
    request: 'Request',
    open: 'open',
    aboutReads: 'Once an hour for each thing and reader. Which part of a log was read stands on the page of its job.',
  },
};

const who = ({ key }: { key: { name: string; prefix: string; role?: string } }): Html =>
  html`${key.name} <code class="soft">lk_${key.prefix}</code>`;

type Facts = Readonly<Record<string, unknown>>;
const isFacts = (value: unknown): value is Facts =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const FACT_MAX_CHARS = 120;
const factText = (value: unknown): string => {
  const text = typeof value === 'string' ? value : JSON.stringify(value ?? null);
  return text.length > FACT_MAX_CHARS ? `${text.slice(0, FACT_MAX_CHARS)}…` : text;
};

/** What differs between two states of a thing, a line each. */
function difference(before: unknown, after: unknown): Html {
  if (!isFacts(after)) return html`<code>${factText(after)}</code>`;
  const old = isFacts(before) ? before : {};
  const names = Object.keys({ ...old, ...after }).filter(
    (name) => JSON.stringify(old[name]) !== JSON.stringify(after[name]),
  );
  return html`<ul class="difference">
    ${names.map(
      (name) =>
        html`<li>
          <span class="soft">${name}</span>
          ${old[name] !== undefined && old[name] !== null && html`<del>${factText(old[name])}</del> → `}<ins
            >${factText(after[name])}</ins
          >
        </li>`,
    )}
  </ul>`;
}

/** Without its escapes, where they are whole. */
function readable(subject: string): string {
  try {
    return decodeURIComponent(subject.replaceAll('+', ' '));
  } catch {
    return subject;
  }
}

async function listOf(visit: Visit, tab: Tab): Promise<{ list: Html; next: string | null }> {
  const { language, query } = visit;
  const texts = TEXTS[language];
  const { tab: _, ...asked } = query;
  if (tab === 'reads') {
    const { reads, nextCursor } = await visit.call(listReads, { query: asked });
    const list = table(
      language,
      texts.reads,
      [
        { head: texts.at, cell: ({ at }) => when(at) },
        { head: texts.who, cell: who },
        { head: texts.via, cell: ({ via, key }) => `${via}, ${key.role}` },
        {
          head: texts.read,
          cell: ({ subject }) => html`<code>${readable(subject)}</code>`,
          isWide: true,
        },
      ],
      reads,
    );
    return {
      list: html`<p class="fine">${texts.aboutReads}</p>
        ${list}`,
      next: nextCursor,
    };
  }
  if (tab === 'sessions') {
    const { sessions, nextCursor } = await visit.call(listSessions, { query: asked });
    const list = table(
      language,
      texts.sessions,
      [
        { head: texts.began, cell: ({ beganAt }) => when(beganAt) },
        { head: texts.who, cell: who },
        { head: texts.used, cell: ({ lastUsedAt }) => when(lastUsedAt) },
        {
          head: texts.ended,
          cell: ({ endedAt, endsAt }) =>
            endedAt === null && Date.parse(endsAt) > Date.now() ? pill(texts.open, 'busy') : when(endedAt ?? endsAt),
        },
      ],
      sessions,
    );
    return { list, next: nextCursor };
  }
  const { changes, nextCursor } = await visit.call(showChanges, { query: asked });
  const list = table(
    language,
    texts.changes,
    [
      { head: texts.at, cell: ({ at }) => when(at) },
      // At the owner's terminal nobody has a key.
      {
        head: texts.who,
        cell: ({ by: name, keyPrefix }) => who({ key: { name, prefix: keyPrefix ?? 'lading_owner' } }),
      },
      { head: texts.did, cell: ({ action }) => action },
      { head: texts.subject, cell: ({ subject }) => html`<code>${subject}</code>` },
      { head: texts.after, cell: ({ before, after }) => difference(before, after), isWide: true },
    ],
    changes,
  );
  return { list, next: nextCursor };
}

async function auditPage(visit: Visit): Promise<ConsolePage> {
  const { language, query } = visit;
  const texts = TEXTS[language];
  const tab = TABS.find((one) => one === query['tab']) ?? 'changes';
  const { list, next } = await listOf(visit, tab);
  return {
    title: CONSOLE[language].nav.audit,
    place: 'audit',
    main: html`<h1>${CONSOLE[language].nav.audit}</h1>
      <nav class="tabs" aria-label=${CONSOLE[language].nav.audit}>
        ${TABS.map(
          (one) =>
            html`<a href=${`/console/audit?tab=${one}`} aria-current=${one === tab ? 'page' : undefined}
              >${texts[one]}</a
            >`,
        )}
      </nav>
      ${list} ${pager(language, '/console/audit', { tab }, next)}`,
  };
}

export function addAudit(gate: Gate): void {
  gate.get('/console/audit', auditPage);
}
