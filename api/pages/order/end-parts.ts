/** What an order ended as, or is about to, and what becomes of the money. */
import { vndText } from '../client/figures.ts';
import { html, type Html } from '../html.ts';
import { maskedEmail } from './masked-email.ts';
import type { Shown } from './order-page.ts';

const orderAgain = ({ texts, seen }: Shown): Html =>
  html`<p>
    <a class="button wide" href=${`/?course=${encodeURIComponent(seen.answer.course.id)}`}>${texts.again}</a>
  </p>`;

export const deliveringPart = ({ texts }: Shown): Html =>
  html`<section class="card" aria-labelledby="deliver-title">
    <h2 id="deliver-title">${texts.deliver.title}</h2>
    <div class="bar"><progress aria-label=${texts.load.progress} max="1" value="1"></progress></div>
    <p>${texts.deliver.text}</p>
  </section>`;

export function donePart({ texts, seen }: Shown): Html {
  const { folderUrl } = seen.answer;
  return html`<section class="card done" aria-labelledby="done-title">
    <h2 id="done-title" class="good">${texts.done.title}</h2>
    <p>${texts.done.text}</p>
    ${
      folderUrl !== undefined &&
      html`<p><a class="button wide" href=${folderUrl} rel="noopener noreferrer">${texts.done.open}</a></p>`
    }
    <p>${`${texts.done.account(maskedEmail(seen.order.email))} ${texts.done.mail}`}</p>
  </section>`;
}

export function failedPart({ language, texts, seen }: Shown): Html {
  const { paidVnd, failure } = seen.answer;
  const amount = vndText(language, paidVnd);
  const money =
    paidVnd === 0
      ? texts.failed.nothing
      : failure?.refundIsDue
        ? texts.failed.refund(amount)
        : texts.failed.decides(amount);
  return html`<section class="card" aria-labelledby="failed-title">
    <h2 id="failed-title" class="bad">${texts.failed.title}</h2>
    <p class="note warn">${money}</p>
  </section>`;
}

export function expiredPart(shown: Shown): Html {
  const { language, texts, seen } = shown;
  const { paidVnd, unplaced } = seen.answer;
  const { title, text, partly, late } = texts.expired;
  const money = paidVnd > 0 ? partly(vndText(language, paidVnd)) : unplaced.length > 0 ? late : undefined;
  return html`<section class="card" aria-labelledby="expired-title">
    <h2 id="expired-title">${title}</h2>
    ${money === undefined ? [html`<p>${text}</p>`, orderAgain(shown)] : html`<p class="note warn">${money}</p>`}
  </section>`;
}

export const cancelledPart = (shown: Shown): Html =>
  html`<section class="card" aria-labelledby="cancelled-title">
    <h2 id="cancelled-title">${shown.texts.cancelled.title}</h2>
    <p>${shown.texts.cancelled.text}</p>
    ${orderAgain(shown)}
  </section>`;
