import { putCatalogue, showCatalogue } from '../../operators/catalogue-operations.ts';
import { Problem } from '../../problem.ts';
import { vndText } from '../client/figures.ts';
import { html, type Html } from '../html.ts';
import type { Texts } from '../language.ts';
import type { Fields, Gate, Visit } from './gate.ts';
import { actionForm, field, pill, table, when, words } from './parts.ts';
import type { ConsolePage } from './shell.ts';
import { CONSOLE } from './texts.ts';

type Course = Awaited<ReturnType<(typeof showCatalogue)['act']>>['courses'][number];

const TEXTS: Texts<
  Readonly<
    Record<
      | 'id'
      | 'title'
      | 'price'
      | 'provider'
      | 'source'
      | 'profile'
      | 'folder'
      | 'priority'
      | 'listed'
      | 'rights'
      | 'evidence'
      | 'kind'
      | 'noRights'
      | 'orderable'
      | 'notOrderable'
      | 'edit'
      | 'add'
      | 'save'
      | 'recordedBy'
      | 'about'
      | 'yes'
      | 'no',
      string
    >
  >
> = {
  vi: {
    id: 'Mã',
    title: 'Tên',
    price: 'Giá (₫)',
    provider: 'Nguồn',
    source: 'Nơi lấy tệp (JSON)',
    profile: 'Hồ sơ giới hạn',
    folder: 'Thư mục',
    priority: 'Ưu tiên',
    listed: 'Khách nhìn thấy',
    rights: 'Quyền',
    evidence: 'Bằng chứng (https://… hoặc sha256:…)',
    kind: 'Loại quyền',
    noRights: 'chưa có hồ sơ quyền',
    orderable: 'đặt được',
    notOrderable: 'không đặt được',
    edit: 'Sửa',
    add: 'Thêm khóa học',
    save: 'Lưu',
    recordedBy: 'ghi bởi',
    about: 'Khóa học không có hồ sơ quyền thì không ai đặt được. Bỏ trống quyền khi sửa thì hồ sơ cũ giữ nguyên.',
    yes: 'có',
    no: 'không',
  },
  en: {
    id: 'Id',
    title: 'Title',
    price: 'Price (₫)',
    provider: 'Provider',
    source: 'Where its files come from (JSON)',
    profile: 'Profile',
    folder: 'Folder',
    priority: 'Priority',
    listed: 'Customers see it',
    rights: 'Rights',
    evidence: 'Evidence (https://… or sha256:…)',
    kind: 'Kind of right',
    noRights: 'no rights record',
    orderable: 'can be ordered',
    notOrderable: 'cannot be ordered',
    edit: 'Edit',
    add: 'Add a course',
    save: 'Save',
    recordedBy: 'recorded by',
    about: 'Nobody can order a course without a rights record. Left empty while editing, the record stays as it is.',
    yes: 'yes',
    no: 'no',
  },
};

const option = (value: string, text: string, chosen: string | undefined): Html =>
  html`<option value=${value} selected=${value === chosen}>${text}</option>`;

function courseForm(visit: Visit, course: Course | undefined): Html {
  const { language, session } = visit;
  const texts = TEXTS[language];
  const select = (label: string, name: string, values: readonly string[], chosen: string | undefined): Html =>
    field(
      label,
      (id) =>
        html`<select id=${id} name=${name}>
          ${values.map((value) => option(value, value || '–', chosen))}
        </select>`,
    );
  return actionForm(
    session,
    { path: '/console/courses', label: course ? texts.edit : texts.add, hidden: course ? { id: course.id } : {} },
    html`${!course && words(texts.id, 'id', '')} ${words(texts.title, 'title', course?.title)}
    ${field(
      texts.price,
      (id) =>
        html`<input id=${id} name="priceVnd" type="number" min="1000" required value=${course?.priceVnd ?? ''} />`,
    )}
    ${select(texts.provider, 'provider', ['manifest', 'hls', 'udemy'], course?.provider)}
    ${field(
      texts.source,
      (id) =>
        html`<textarea id=${id} name="source" rows="4" required spellcheck="false">
${course ? JSON.stringify(course.source, undefined, 1) : ''}</textarea>`,
    )}
    ${words(texts.profile, 'profile', course?.profile ?? 'standard')}
    ${select(texts.folder, 'folder', ['personal', 'shared'], course?.folder)}
    ${field(
      texts.priority,
      (id) => html`<input id=${id} name="priority" type="number" min="-10" max="10" value=${course?.priority ?? 0} />`,
    )}
    ${field(
      texts.listed,
      (id) =>
        html`<select id=${id} name="listed">
          ${option('true', texts.yes, String(course?.listed ?? true))}
          ${option('false', texts.no, String(course?.listed ?? true))}
        </select>`,
    )}
    ${select(texts.kind, 'kind', ['', 'own', 'licensed', 'open'], course?.rights?.kind)}
    ${words(texts.evidence, 'evidence', course?.rights?.evidence)}`,
  );
}

async function coursesPage(visit: Visit): Promise<ConsolePage> {
  const { language, query } = visit;
  const texts = TEXTS[language];
  const { courses, more } = await visit.call(showCatalogue, { query });
  const last = courses.at(-1)?.id ?? '';
  return {
    title: CONSOLE[language].nav.courses,
    place: 'courses',
    main: html`<h1>${CONSOLE[language].nav.courses}</h1>
      <p class="fine">${texts.about}</p>
      ${visit.may(putCatalogue) && courseForm(visit, undefined)}
      ${table(
        language,
        CONSOLE[language].nav.courses,
        [
          { head: texts.id, cell: ({ id }) => html`<code>${id}</code>` },
          { head: texts.title, cell: ({ title }) => title, isWide: true },
          { head: texts.price, cell: ({ priceVnd }) => vndText(language, priceVnd), isNumber: true },
          {
            head: texts.provider,
            cell: ({ provider, profile }) => html`${provider} <span class="soft">${profile}</span>`,
          },
          {
            head: texts.rights,
            cell: ({ rights }) =>
              rights === null
                ? pill(texts.noRights, 'warn')
                : html`<strong>${rights.kind}</strong> <code>${rights.evidence}</code>${' '}
                    <span class="soft">${texts.recordedBy} ${rights.recordedBy}</span> ${when(rights.recordedAt)}`,
            isWide: true,
          },
          {
            head: '',
            cell: ({ orderable }) => (orderable ? pill(texts.orderable, 'good') : pill(texts.notOrderable)),
          },
          ...(visit.may(putCatalogue) ? [{ head: '', cell: (course: Course) => courseForm(visit, course) }] : []),
        ],
        courses,
      )}
      ${
        more &&
        html`<nav class="pager">
          <a class="button quiet" rel="next" href=${`/console/courses?after=${last}`}>${CONSOLE[language].next} →</a>
        </nav>`
      }`,
  };
}

/** Throws `request_invalid` where the source is not JSON; all else is for the operation to check. */
function courseOf({ kind = '', evidence = '', source = '', priceVnd, priority, listed, ...texts }: Fields): object {
  let parsed: unknown;
  try {
    parsed = JSON.parse(source);
  } catch {
    throw new Problem('request_invalid', undefined, { errors: [{ field: 'source', message: 'is not JSON' }] });
  }
  return {
    ...texts,
    source: parsed,
    priceVnd: Number(priceVnd),
    priority: Number(priority ?? 0),
    listed: listed === 'true',
    ...(kind !== '' && { rights: { kind, evidence } }),
  };
}

export function addCourses(gate: Gate): void {
  gate.get('/console/courses', coursesPage);
  gate.post('/console/courses', async (visit, form) => {
    await visit.call(putCatalogue, { body: { courses: [courseOf(form)] } });
    return '/console/courses';
  });
}
