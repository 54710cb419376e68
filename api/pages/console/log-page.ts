import { visible } from '../../../sql/log-lines.ts';
import { proveLog, readLogs, showLogLines } from '../../operators/log-operations.ts';
import { html, type Html } from '../html.ts';
import type { Texts } from '../language.ts';
import type { Fields, Gate, Visit } from './gate.ts';
import { filterForm, pill, words } from './parts.ts';
import type { ConsolePage } from './shell.ts';

/** Lines of one page: as many as somebody reads, and no more than a browser lays out at once. */
const WINDOW_LINES = 400;
const AROUND_LINES = 100;

const TEXTS: Texts<
  Readonly<
    Record<
      | 'log'
      | 'attempt'
      | 'search'
      | 'find'
      | 'download'
      | 'verify'
      | 'ok'
      | 'running'
      | 'broken'
      | 'earlier'
      | 'later'
      | 'first'
      | 'latest'
      | 'follow'
      | 'following'
      | 'stopped'
      | 'cut'
      | 'none'
      | 'notFound'
      | 'goOn'
      | 'lines'
      | 'gap'
      | 'toLine'
      | 'verified'
      | 'recorded'
      | 'list',
      string
    >
  >
> = {
  vi: {
    log: 'Nhật ký',
    attempt: 'lần thử',
    search: 'Tìm trong nhật ký',
    find: 'Tìm',
    download: 'Tải về',
    verify: 'Kiểm chứng',
    ok: '✓ đủ và nguyên vẹn',
    running: 'đúng đến đây, còn đang chạy',
    broken: '✕ đã bị thay đổi hoặc thiếu',
    earlier: '← Trước đó',
    later: 'Sau đó →',
    first: 'Đầu',
    latest: 'Cuối',
    follow: 'Theo dõi trực tiếp',
    following: 'đang theo dõi trực tiếp',
    stopped: 'nhật ký đã kết thúc',
    cut: 'dòng không được giữ vì lần thử này nói quá nhiều',
    none: 'Chưa có dòng nào.',
    notFound: 'Không tìm thấy.',
    goOn: 'Tìm tiếp từ dòng',
    lines: 'dòng',
    gap: 'có dòng bị mất trước dòng này',
    toLine: 'Dòng',
    verified: 'đoạn, mã băm cuối',
    recorded: 'Mỗi lần đọc đều được ghi lại cùng tên khóa.',
    list: 'Các dòng nhật ký',
  },
  en: {
    log: 'Log',
    attempt: 'attempt',
    search: 'Search the log',
    find: 'Find',
    download: 'Download',
    verify: 'Verify',
    ok: '✓ complete and unchanged',
    running: 'right so far, still running',
    broken: '✕ changed or incomplete',
    earlier: '← Earlier',
    later: 'Later →',
    first: 'First',
    latest: 'Last',
    follow: 'Follow live',
    following: 'following live',
    stopped: 'the log is over',
    cut: 'lines were not kept: the attempt said too much',
    none: 'Nothing was said yet.',
    notFound: 'Not found.',
    goOn: 'Go on from line',
    lines: 'lines',
    gap: 'lines before this one are lost',
    toLine: 'Line',
    verified: 'chunks, final hash',
    recorded: 'Each read is recorded with the name of the key.',
    list: 'Lines of the log',
  },
};

type Lines = Awaited<ReturnType<(typeof showLogLines)['act']>>;
type Line = Lines['lines'][number];
const TIME_FROM = 11;
const TIME_TO = 23;

/** The text with what was searched for marked. */
function marked(text: string, search: string): unknown {
  if (search === '') return text;
  const pieces: unknown[] = [];
  const lower = text.toLowerCase();
  const wanted = search.toLowerCase();
  // A letter whose lower case is longer would shift what is marked; then nothing is.
  if (lower.length !== text.length) return text;
  let at = 0;
  for (let found = lower.indexOf(wanted); found >= 0; found = lower.indexOf(wanted, at)) {
    pieces.push(text.slice(at, found), html`<mark>${text.slice(found, found + wanted.length)}</mark>`);
    at = found + wanted.length;
  }
  return [...pieces, text.slice(at)];
}

const lineOf = (line: Line, path: string, search: string, gap: string): Html =>
  html`<li id=${`L${line.n}`} class=${`${line.level}${line.stream === 'err' ? ' err' : ''}`}>
    ${line.afterGap && html`<span class="gap">${gap}</span>`}<a href=${`${path}&line=${line.n}#L${line.n}`}>${line.n}</a
    ><time datetime=${line.at}>${line.at.slice(TIME_FROM, TIME_TO)}</time><span>${marked(line.text, search)}</span>
  </li>`;

async function badge(visit: Visit, job: string, attempt: number): Promise<Html> {
  const texts = TEXTS[visit.language];
  const proof = await visit.call(proveLog, { params: { job }, query: { attempt } });
  const gravity = { ok: 'good', running: 'busy', broken: 'bad' } as const;
  return html`<div class=${`note ${proof.status === 'broken' ? 'bad' : 'good'}`} role="status">
    <p>
      ${pill(texts[proof.status], gravity[proof.status])}
      ${` ${proof.lines} ${texts.lines} · ${proof.chunks} ${texts.verified} `}
      <code class="hash">${proof.finalHash}</code>
    </p>
    ${
      proof.faults.length > 0 &&
      html`<ul>
        ${proof.faults.map((fault) => html`<li>${fault}</li>`)}
      </ul>`
    }
  </div>`;
}

/** Which lines are wanted: around one, behind one, or the last. */
function afterOf(query: Fields): Record<string, string> {
  const line = Number(query['line']);
  if (Number.isSafeInteger(line) && line > 0) return { after: String(Math.max(0, line - 1 - AROUND_LINES)) };
  return query['after'] === undefined ? {} : { after: query['after'] };
}

async function logPage(visit: Visit): Promise<ConsolePage> {
  const { language, query, ctx } = visit;
  const texts = TEXTS[language];
  const job = ctx.params['job'] ?? '';
  const search = query['search'] ?? '';
  const asked = { ...(query['attempt'] !== undefined && { attempt: query['attempt'] }), ...afterOf(query) };
  const log = await visit.call(showLogLines, {
    params: { job },
    query: { ...asked, limit: String(WINDOW_LINES), ...(search !== '' && { search }) },
  });
  const attempt = String(log.attempt);
  const base = `/console/jobs/${encodeURIComponent(job)}/logs`;
  const to = (more: Readonly<Record<string, string>>): string => `${base}?${new URLSearchParams({ attempt, ...more })}`;
  const first = log.lines[0]?.n ?? 1;
  const isTail = search === '' && !log.more;
  const found = { ...(search !== '' && { search }) };
  return {
    title: `${texts.log} ${job}`,
    place: 'jobs',
    scripts: ['console-log.ts'],
    main: html`<h1>
        ${texts.log} <a href=${`/console/jobs/${encodeURIComponent(job)}`}><code>${job}</code></a>
        <small>${texts.attempt} ${attempt}</small>
      </h1>
      <div class="bar">
        ${filterForm(
          base,
          texts.find,
          html`<input type="hidden" name="attempt" value=${attempt} />${words(texts.search, 'search', search)}`,
        )}
        <div class="buttons">
          <a class="button quiet small" href=${to({ verify: '1', ...found })}>${texts.verify}</a>
          <a class="button quiet small" href=${`${base}/download?attempt=${attempt}`} download>${texts.download}</a>
          ${isTail && !log.over && html`<button type="button" class="small" data-follow hidden>${texts.follow}</button>`}
        </div>
      </div>
      ${query['verify'] !== undefined && (await badge(visit, job, log.attempt))}
      <p class="fine">
        ${`${log.linesStored} ${texts.lines} · `}
        ${log.linesCut > 0 && html`<strong>${log.linesCut} ${texts.cut}</strong>${' · '}`}${texts.recorded}
      </p>
      <nav class="log-nav" aria-label=${texts.log}>
        <a href=${to({ after: '0', ...found })}>${texts.first}</a>
        ${
          search === '' &&
          first > 1 &&
          html`<a href=${to({ after: String(Math.max(0, first - 1 - WINDOW_LINES)) })}>${texts.earlier}</a>`
        }
        ${search === '' && log.more && html`<a href=${to({ after: String(log.seenTo) })}>${texts.later}</a>`}
        <a href=${to({})}>${texts.latest}</a>
      </nav>
      ${
        log.lines.length === 0
          ? html`<p class="empty">${search === '' ? texts.none : texts.notFound}</p>`
          : html`<div class="scroll log-scroll" role="region" aria-label=${texts.list} tabindex="0">
              <ol
                class="log"
                data-log=${isTail && !log.over ? `${base}/stream?attempt=${attempt}` : undefined}
                data-after=${log.seenTo}
                data-path=${to({})}
                data-gap=${texts.gap}
              >
                ${log.lines.map((line) => lineOf(line, to({}), search, texts.gap))}
              </ol>
            </div>`
      }
      <p class="live" role="status" data-follow-state data-following=${texts.following} data-over=${texts.stopped}></p>
      ${
        search !== '' &&
        log.more &&
        html`<p>
          <a class="button quiet" href=${to({ after: String(log.seenTo), ...found })}
            >${texts.goOn} ${log.seenTo + 1} →</a
          >
        </p>`
      }`,
  };
}

export function addLogs(gate: Gate): void {
  gate.get('/console/jobs/:job/logs', logPage);
  const answer =
    (query: (fields: Fields) => object) =>
    async (visit: Visit): Promise<void> => {
      const { ctx, query: fields } = visit;
      ctx.body = await visit.call(readLogs, {
        params: { job: ctx.params['job'] },
        query: { ...(fields['attempt'] !== undefined && { attempt: fields['attempt'] }), ...query(fields) },
      });
    };
  gate.stream(
    '/console/jobs/:job/logs/stream',
    answer(({ after = '0' }) => ({ format: 'ndjson', follow: 'true', after })),
  );
  gate.stream('/console/jobs/:job/logs/download', async (visit) => {
    // Before the answer begins: its headers leave with its first line. A name of ours, whatever was asked for.
    const name = visible(visit.ctx.params['job'] ?? '').replaceAll(/[^\w-]/g, '');
    visit.ctx.set(
      'Content-Disposition',
      `attachment; filename="log-${name}-${Number(visit.query['attempt'] ?? 0)}.txt"`,
    );
    await answer(() => ({}))(visit);
  });
}
