/** Money that did not simply pay the order: too much, too late, twice. Said wherever the order stands. */
import type { UnplacedMoney } from '../../../sql/orders.ts';
import { vndText } from '../client/figures.ts';
import { html, type Html } from '../html.ts';
import type { Shown } from './order-page.ts';
import { timeText } from './time-text.ts';

function unplacedLine({ language, texts, now }: Shown, money: UnplacedMoney): Html {
  const { reasons, other, line, waits, refunded, decided } = texts.unplaced;
  const why = Object.hasOwn(reasons, money.reason) ? (reasons[money.reason] ?? other) : other;
  const what = money.decision === null ? waits : money.decision === 'refund_recorded' ? refunded : decided;
  return html`<li>
    ${line(vndText(language, money.amountVnd), timeText(language, new Date(money.transferredAt), now), why)}
    ${' '}<strong>${what}</strong>
  </li>`;
}

export function moneyParts(shown: Shown): Html[] {
  const { language, texts, seen } = shown;
  const { answer } = seen;
  const over = answer.paidVnd - answer.amountVnd;
  const parts: Html[] = [];
  if (over > 0 && answer.status !== 'failed')
    parts.push(html`<p class="note warn">${texts.over(vndText(language, over))}</p>`);
  if (answer.unplaced.length > 0)
    parts.push(
      html`<section class="card" aria-labelledby="unplaced-title">
        <h2 id="unplaced-title">${texts.unplaced.title}</h2>
        <ul class="plain">
          ${answer.unplaced.map((money) => unplacedLine(shown, money))}
        </ul>
      </section>`,
    );
  return parts;
}

export const helpPart = ({ texts, seen, contact }: Shown): Html =>
  contact === undefined
    ? html`<p class="fine">${texts.helpAnywhere(seen.answer.code)}</p>`
    : html`<p class="fine">
        ${`${texts.help(seen.answer.code)} `}<a href=${`mailto:${contact}?subject=${seen.answer.code}`}>${contact}</a>
      </p>`;
