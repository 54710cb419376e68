/** One order from payment to delivery. `#live` is what a script replaces when the order moves; figures move in place. */
import type { OrderStatus } from '../../../sql/orders.ts';
import type { SeenOrder } from '../../orders/see-order.ts';
import { structureOf } from '../client/order-figures.ts';
import { html, type Html } from '../html.ts';
import type { Language } from '../language.ts';
import type { Page } from '../layout.ts';
import { cancelledPart, deliveringPart, donePart, expiredPart, failedPart } from './end-parts.ts';
import { helpPart, moneyParts } from './money-parts.ts';
import { payPart } from './pay-part.ts';
import { ORDER, type OrderTexts } from './texts.ts';
import { downloadPart, waitPart } from './work-parts.ts';

/** What every part is made from. */
export type Shown = {
  language: Language;
  texts: OrderTexts;
  seen: SeenOrder;
  token: string;
  /** Where customers find help; undefined: where they bought it. */
  contact: string | undefined;
  /** Where it is expired it may still be paid, by a transfer of before. */
  now: Date;
};

const RELOAD_SECONDS = 15;

type Kind = 'pay' | 'wait' | 'load' | 'done';
const STEPS: readonly Kind[] = ['pay', 'wait', 'load', 'done'];

const PARTS: Readonly<
  Record<OrderStatus, { part: (shown: Shown) => Html; title: (texts: OrderTexts) => string; step?: Kind }>
> = {
  pending: { part: payPart, title: (texts) => texts.steps.pay, step: 'pay' },
  paid: { part: waitPart, title: (texts) => texts.steps.wait, step: 'wait' },
  processing: { part: waitPart, title: (texts) => texts.steps.wait, step: 'wait' },
  enrolled: { part: waitPart, title: (texts) => texts.steps.wait, step: 'wait' },
  downloading: { part: downloadPart, title: (texts) => texts.load.title, step: 'load' },
  delivering: { part: deliveringPart, title: (texts) => texts.deliver.title, step: 'load' },
  completed: { part: donePart, title: (texts) => texts.done.title, step: 'done' },
  failed: { part: failedPart, title: (texts) => texts.failed.title },
  expired: { part: expiredPart, title: (texts) => texts.expired.title },
  cancelled: { part: cancelledPart, title: (texts) => texts.cancelled.title },
};
/** Nothing moves any more by itself. */
const LASTING: ReadonlySet<OrderStatus> = new Set(['completed', 'cancelled']);

function steps(texts: OrderTexts, current: Kind): Html {
  const at = STEPS.indexOf(current);
  const stateOf = (index: number): string =>
    index < at || current === 'done' ? 'past' : index === at ? 'now' : 'ahead';
  return html`<ol class="steps" aria-label=${texts.steps.label}>
    ${STEPS.map(
      (step, index) =>
        html`<li class=${stateOf(index)} aria-current=${index === at ? 'step' : undefined}>${texts.steps[step]}</li>`,
    )}
  </ol>`;
}

export function orderPage(language: Language, given: Omit<Shown, 'language' | 'texts'>): Page {
  const texts = ORDER[language];
  const shown: Shown = { ...given, language, texts };
  const { answer } = given.seen;
  const { part, title, step } = PARTS[answer.status];
  const lasts = LASTING.has(answer.status);
  return {
    title: `${title(texts)} · ${answer.code}`,
    styles: ['order.css'],
    scripts: ['order.ts'],
    isPrivate: true,
    refreshSeconds: lasts ? undefined : RELOAD_SECONDS,
    main: html`<h1 class="course">${answer.course.title}</h1>
      <p class="fine code">${`${texts.order} `}<code>${answer.code}</code></p>
      <div
        id="live"
        data-structure=${structureOf(answer)}
        data-events=${lasts ? undefined : `/v1/orders/${given.token}/events`}
      >
        ${step && steps(texts, step)} ${part(shown)} ${moneyParts(shown)}
        ${
          !lasts &&
          html`<noscript
            ><p><a class="button quiet wide" href=${`/o/${given.token}`}>${texts.reload}</a></p></noscript
          >`
        }
        ${helpPart(shown)}
      </div>
      <p id="said" class="unseen" role="status" aria-live="polite"></p>`,
  };
}
