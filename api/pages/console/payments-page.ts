import { z } from 'zod';
import { decideInbox, showInbox, showLedger } from '../../operators/payment-operations.ts';
import { vndText } from '../client/figures.ts';
import { html, type Html } from '../html.ts';
import type { Texts } from '../language.ts';
import type { Fields, Gate, Visit } from './gate.ts';
import { jobLink } from './jobs-page.ts';
import { actionForm, field, pager, reasonField, table, when, words } from './parts.ts';
import type { ConsolePage } from './shell.ts';
import { CONSOLE } from './texts.ts';

type PaymentTexts = Readonly<
  Record<
    | 'since'
    | 'reason'
    | 'amount'
    | 'content'
    | 'account'
    | 'proposed'
    | 'decide'
    | 'action'
    | 'order'
    | 'sameAs'
    | 'none'
    | 'ledger'
    | 'stands'
    | 'transfers'
    | 'balance'
    | 'raw',
    string
  >
> & { actions: Readonly<Record<string, string>>; reasons: Readonly<Record<string, string>> };

const TEXTS: Texts<PaymentTexts> = {
  vi: {
    since: 'Từ lúc',
    reason: 'Vì sao',
    amount: 'Số tiền',
    content: 'Nội dung chuyển khoản',
    account: 'Tài khoản',
    proposed: 'Đơn gợi ý',
    decide: 'Quyết định',
    action: 'Làm gì',
    order: 'Mã đơn (khi gán)',
    sameAs: 'Trùng với (khi là cùng một lần chuyển)',
    none: 'Mọi đồng đều có chỗ. Không có gì chờ bạn.',
    ledger: 'Sổ: tiền đang ở đâu',
    stands: 'Ở đâu',
    transfers: 'Số lần chuyển',
    balance: 'Tổng',
    raw: 'nguyên văn',
    actions: {
      assign: 'gán vào đơn',
      'refund-recorded': 'đã hoàn tiền',
      ignore: 'bỏ qua',
      'same-transfer': 'cùng một lần chuyển',
    },
    reasons: {
      no_code: 'không có mã đơn',
      unknown_code: 'mã đơn không tồn tại',
      several_codes: 'có nhiều mã đơn',
      already_paid: 'đơn đã được trả',
      expired: 'đơn đã hết hạn',
      cancelled: 'đơn đã hủy',
      wrong_account: 'sai tài khoản',
      not_positive: 'số tiền không dương',
      possible_repeat: 'có thể được báo hai lần',
      overpaid: 'đơn được trả thừa',
      underpaid_expired: 'đơn hết hạn khi chưa đủ tiền',
      underpaid_cancelled: 'đơn đã hủy khi chưa đủ tiền',
      job_cancelled: 'công việc đã bị hủy',
      job_failed: 'công việc đã hỏng',
      'not_understood: not_json': 'không hiểu được: không phải JSON',
      'not_understood: not_a_transaction': 'không hiểu được: không phải giao dịch',
      'not_understood: id_reused': 'mã giao dịch dùng lại cho tiền khác',
    },
  },
  en: {
    since: 'Since',
    reason: 'Why',
    amount: 'Amount',
    content: 'Text of the transfer',
    account: 'Account',
    proposed: 'Likely order',
    decide: 'Decide',
    action: 'What to do',
    order: 'Order code (to assign)',
    sameAs: 'Tells once more of (for the same transfer)',
    none: 'Every dong has its place. Nothing waits for you.',
    ledger: 'The ledger: where money stands',
    stands: 'Stands',
    transfers: 'Transfers',
    balance: 'Sum',
    raw: 'as it came',
    actions: {},
    reasons: {},
  },
};

type Item = Awaited<ReturnType<(typeof showInbox)['act']>>['items'][number];

/** What the operation can be given is what the form offers. */
const shape = decideInbox.body?.shape ?? {};
const bodyFields = Object.keys(shape);
const { action: actions } = shape;
const ACTIONS = actions instanceof z.ZodEnum ? actions.options.map(String) : [];

function decision(visit: Visit, item: Item): Html {
  const { language, session } = visit;
  const texts = TEXTS[language];
  const waits = item.amountVnd === null ? {} : { amountVnd: String(item.amountVnd) };
  return actionForm(
    session,
    { path: '/console/payments/decide', label: texts.decide, hidden: { item: item.id, ...waits } },
    html`${field(
      texts.action,
      (id) =>
        html`<select id=${id} name="action" required>
          ${ACTIONS.map((action) => html`<option value=${action}>${texts.actions[action] ?? action}</option>`)}
        </select>`,
    )}
    ${words(texts.order, 'orderCode', item.proposedOrderCode ?? undefined)}
    ${bodyFields.includes('sameAs') && words(texts.sameAs, 'sameAs', (item as { mayRepeat?: string | null }).mayRepeat ?? undefined)}
    ${reasonField(language)}`,
  );
}

async function paymentsPage(visit: Visit): Promise<ConsolePage> {
  const { language, query } = visit;
  const texts = TEXTS[language];
  const { items, nextCursor } = await visit.call(showInbox, { query });
  const { totals } = await visit.call(showLedger);
  return {
    title: CONSOLE[language].nav.payments,
    place: 'payments',
    main: html`<h1>${CONSOLE[language].nav.payments}</h1>
      ${table(
        language,
        CONSOLE[language].nav.payments,
        [
          { head: texts.since, cell: ({ since }) => when(since) },
          { head: texts.reason, cell: ({ reason }) => html`${texts.reasons[reason] ?? reason}` },
          {
            head: texts.amount,
            cell: ({ amountVnd }) => (amountVnd === null ? '–' : vndText(language, amountVnd)),
            isNumber: true,
          },
          {
            head: texts.content,
            cell: ({ content, raw }) =>
              raw === null
                ? content
                : html`<details>
                    <summary>${texts.raw}</summary>
                    <pre>${raw}</pre>
                  </details>`,
            isWide: true,
          },
          { head: texts.account, cell: ({ accountNumber }) => html`<code>${accountNumber}</code>` },
          {
            head: texts.proposed,
            cell: ({ proposedOrderCode }) => (proposedOrderCode === null ? '' : jobLink(proposedOrderCode)),
          },
          ...(visit.may(decideInbox) ? [{ head: '', cell: (item: Item) => decision(visit, item) }] : []),
        ],
        items,
        texts.none,
      )}
      ${pager(language, '/console/payments', {}, nextCursor)}
      <section>
        <h2>${texts.ledger}</h2>
        ${table(
          language,
          texts.ledger,
          [
            { head: texts.stands, cell: ({ stands }) => stands },
            { head: texts.transfers, cell: ({ transfers }) => transfers, isNumber: true },
            { head: texts.balance, cell: ({ balanceVnd }) => vndText(language, Number(balanceVnd)), isNumber: true },
          ],
          totals,
        )}
      </section>`,
  };
}

/** The fields that were filled in, and only those that belong to what was chosen. */
function bodyOf({ item = '', ...form }: Fields): Record<string, unknown> {
  const action = form['action'] ?? '';
  const belongs: Readonly<Record<string, boolean>> = {
    orderCode: action === 'assign',
    sameAs: action === 'same-transfer',
    amountVnd: item.startsWith('order:'),
  };
  const given = Object.entries(form).filter(
    ([name, value]) => bodyFields.includes(name) && value.trim() !== '' && belongs[name] !== false,
  );
  return Object.fromEntries(
    given.map(([name, value]) => [
      name,
      name === 'amountVnd' ? Number(value) : name === 'orderCode' ? value.trim().toUpperCase() : value.trim(),
    ]),
  );
}

export function addPayments(gate: Gate): void {
  gate.get('/console/payments', paymentsPage);
  gate.post('/console/payments/decide', async (visit, form) => {
    await visit.call(decideInbox, { params: { item: form['item'] }, body: bodyOf(form) });
    return '/console/payments';
  });
}
