import { clockText, vndText } from '../client/figures.ts';
import { html, type Html } from '../html.ts';
import { maskedEmail } from './masked-email.ts';
import type { Shown } from './order-page.ts';
import { timeText } from './time-text.ts';

const QR_PX = 320;

type Detail = { what: string; value: Html | string; copies?: string; hint?: string };

function detail({ texts }: Shown, { what, value, copies, hint }: Detail): Html {
  const { copy, copied } = texts.pay;
  return html`<div>
    <dt>${what}</dt>
    <dd>
      <span class="value">${value}</span>
      ${
        copies !== undefined &&
        html`<button
          type="button"
          class="quiet copy"
          hidden
          data-copy=${copies}
          data-what=${what}
          data-label=${copy}
          data-copied=${copied}
        >
          <span>${copy}</span> <span class="unseen">${what}</span>
        </button>`
      }
      ${hint !== undefined && html`<span class="fine hint">${hint}</span>`}
    </dd>
  </div>`;
}

const cancelForm = ({ texts, token }: Shown): Html =>
  html`<details class="cancel">
    <summary>${texts.pay.cancelAsk}</summary>
    <form method="post" action=${`/o/${token}/cancel`}>
      <p>${texts.pay.cancelText}</p>
      <button class="quiet danger">${texts.pay.cancel}</button>
    </form>
  </details>`;

/** What is to be paid, large enough to scan from another screen and by hand from this one. */
export function payPart(shown: Shown): Html {
  const { language, texts, seen, token, now } = shown;
  const { answer, order } = seen;
  const { bank } = answer;
  const amount = vndText(language, answer.leftVnd);
  const leftSeconds = Math.max(0, Math.floor((order.expires_at.getTime() - now.getTime()) / 1_000));
  const isPartly = answer.paidVnd > 0;
  const pay = texts.pay;
  return html`<section class="card pay" aria-labelledby="pay-title">
      <h2 id="pay-title">${isPartly ? pay.titleRest : pay.title}</h2>
      ${isPartly && html`<p class="note warn">${pay.partly(vndText(language, answer.paidVnd), amount)}</p>`}
      <p class="amount number">${amount}</p>
      <img class="qr" src=${`/v1/orders/${token}/qr.svg`} width=${QR_PX} height=${QR_PX} alt=${pay.qrAlt(amount)} />
      <p class="countdown">
        ${`${pay.left}: `}
        <strong class="number" role="timer" data-left-seconds=${leftSeconds}>${clockText(leftSeconds)}</strong>
        ${' '}<span class="fine">${pay.leftUntil(timeText(language, order.expires_at, now))}</span>
      </p>
      <p>
        <a class="button quiet wide" href=${`/v1/orders/${token}/qr.png`} download=${`${answer.code}.png`}
          >${pay.save}</a
        >
      </p>
      <p class="fine">${pay.saveHint}</p>
    </section>
    <section class="card" aria-labelledby="by-hand">
      <h2 id="by-hand">${pay.byHand}</h2>
      <dl class="details">
        ${[
          { what: pay.bank, value: bank.name },
          {
            what: pay.account,
            value: html`<span class="number">${bank.accountNumber}</span>`,
            copies: bank.accountNumber,
          },
          { what: pay.holder, value: bank.accountName },
          { what: pay.amount, value: html`<span class="number">${amount}</span>`, copies: String(answer.leftVnd) },
          {
            what: pay.content,
            value: html`<strong><code>${answer.transferContent}</code></strong>`,
            copies: answer.transferContent,
            hint: pay.contentHint,
          },
        ].map((each) => detail(shown, each))}
      </dl>
      <p class="note">${pay.byItself}</p>
      <p class="fine">${pay.to(maskedEmail(order.email))}</p>
      ${!isPartly && cancelForm(shown)}
    </section>`;
}
