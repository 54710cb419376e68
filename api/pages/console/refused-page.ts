import { PROBLEMS, type Problem } from '../../problem.ts';
import { html } from '../html.ts';
import type { Language } from '../language.ts';
import type { ConsolePage } from './shell.ts';
import { CONSOLE } from './texts.ts';

/** In Vietnamese; what is not here is rare and said as the API says it. */
const VI: Readonly<Partial<Record<Problem['code'], string>>> = {
  role_not_allowed: 'Vai trò của khóa này không cho phép.',
  form_not_ours: 'Biểu mẫu không do trang này gửi, hoặc phiên đã kết thúc. Hãy tải lại trang và thử lại.',
  job_unknown: 'Không có công việc này.',
  attempt_unknown: 'Công việc này không có lần thử đó.',
  job_not_cancellable: 'Công việc đang giao hoặc đã kết thúc, không hủy được nữa.',
  job_not_dead: 'Công việc này không nằm trong danh sách hỏng.',
  job_still_running: 'Container cuối cùng của công việc chưa kết thúc. Hãy thử lại sau giây lát.',
  job_not_queued: 'Công việc không còn chỗ trong hàng đợi.',
  decided_before: 'Khoản này đã được quyết định.',
  decision_not_possible: 'Không thể quyết định như vậy cho khoản này.',
  order_unknown: 'Không có đơn hàng này.',
  inbox_item_unknown: 'Không có khoản này.',
  request_invalid: 'Một vài ô chưa đúng.',
  rate_limited: 'Quá nhiều yêu cầu. Hãy đợi một lát.',
};

/** What was refused and why, with the way back. */
export function refusedPage(language: Language, problem: Problem, requestId: string): ConsolePage {
  const texts = CONSOLE[language];
  const said = language === 'vi' ? (VI[problem.code] ?? problem.message) : problem.message;
  return {
    title: texts.refused,
    place: undefined,
    main: html`<h1>${texts.refused}</h1>
      <div class="note bad">
        <p>${said}</p>
        ${
          problem.errors &&
          html`<ul>
            ${problem.errors.map(({ field, message }) => html`<li><code>${field}</code> ${message}</li>`)}
          </ul>`
        }
      </div>
      <p class="fine">${PROBLEMS[problem.code][0]} <code>${problem.code}</code> · <code>${requestId}</code></p>
      <p><a class="button quiet" href="/console">${texts.nav.overview}</a></p>`,
  };
}
