import { ORDER_STATUSES } from '../../../sql/orders.ts';
import { list } from '../../orders/order-operations.ts';
import { vndText } from '../client/figures.ts';
import { html } from '../html.ts';
import type { Texts } from '../language.ts';
import type { Gate, Visit } from './gate.ts';
import { gravityOf, jobLink } from './jobs-page.ts';
import { choice, filterForm, pager, pill, table, when, words } from './parts.ts';
import type { ConsolePage } from './shell.ts';
import { CONSOLE } from './texts.ts';
import { stateWord } from './words.ts';

const TEXTS: Texts<
  Readonly<
    Record<'code' | 'status' | 'course' | 'email' | 'shop' | 'price' | 'paid' | 'made' | 'filter' | 'none', string>
  >
> = {
  vi: {
    code: 'Mã đơn',
    status: 'Trạng thái',
    course: 'Khóa học',
    email: 'Email',
    shop: 'Cửa hàng',
    price: 'Giá',
    paid: 'Đã trả',
    made: 'Đặt lúc',
    filter: 'Lọc',
    none: 'Không có đơn nào khớp với bộ lọc này.',
  },
  en: {
    code: 'Order code',
    status: 'Status',
    course: 'Course',
    email: 'E-mail',
    shop: 'Shop',
    price: 'Price',
    paid: 'Paid',
    made: 'Placed',
    filter: 'Filter',
    none: 'No order fits this filter.',
  },
};

async function ordersPage(visit: Visit): Promise<ConsolePage> {
  const { language, query } = visit;
  const texts = TEXTS[language];
  const { orders, nextCursor } = await visit.call(list, { query });
  const { cursor: _, ...filter } = query;
  const statuses = ORDER_STATUSES.map((status) => [status, stateWord(language, status)] as const);
  return {
    title: CONSOLE[language].nav.orders,
    place: 'orders',
    main: html`<h1>${CONSOLE[language].nav.orders}</h1>
      <div class="bar">
        ${filterForm(
          '/console/orders',
          texts.filter,
          html`${words(texts.email, 'email', filter['email'])} ${words(texts.code, 'code', filter['code'])}
          ${choice(texts.status, 'status', statuses, filter['status'])}`,
        )}
      </div>
      ${table(
        language,
        CONSOLE[language].nav.orders,
        [
          {
            head: texts.code,
            cell: ({ code, jobId }) => (jobId === null ? html`<code>${code}</code>` : jobLink(code)),
          },
          {
            head: texts.status,
            cell: ({ status }) => pill(stateWord(language, status), gravityOf(status)),
          },
          { head: texts.email, cell: ({ email }) => email },
          { head: texts.course, cell: ({ courseId }) => courseId },
          { head: texts.shop, cell: ({ shop }) => shop ?? '' },
          { head: texts.price, cell: ({ amountVnd }) => vndText(language, amountVnd), isNumber: true },
          { head: texts.paid, cell: ({ paidVnd }) => vndText(language, paidVnd), isNumber: true },
          { head: texts.made, cell: ({ createdAt }) => when(createdAt) },
        ],
        orders,
        texts.none,
      )}
      ${pager(language, '/console/orders', filter, nextCursor)}`,
  };
}

export function addOrders(gate: Gate): void {
  gate.get('/console/orders', ordersPage);
}
