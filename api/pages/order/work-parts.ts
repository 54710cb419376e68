import { liveTexts, shareDone } from '../client/order-figures.ts';
import { html, type Html } from '../html.ts';
import type { Shown } from './order-page.ts';

/** Paid, and no slot yet. */
export function waitPart({ language, texts, seen }: Shown): Html {
  const live = liveTexts(language, seen.answer);
  return html`<section class="card" aria-labelledby="wait-title">
    <h2 id="wait-title" class="good">${texts.wait.title}</h2>
    <p>${texts.wait.text}</p>
    <p class="big" data-live="ahead">${live['ahead']}</p>
    <p data-live="estimate">${live['estimate']}</p>
    ${seen.answer.attempts > 0 && html`<p class="note warn">${texts.wait.again}</p>`}
    <p class="fine">${texts.load.close}</p>
  </section>`;
}

/** The container at work. */
export function downloadPart({ language, texts, seen }: Shown): Html {
  const { answer } = seen;
  const live = liveTexts(language, answer);
  const share = shareDone(answer);
  const figure = (what: string, name: string): Html =>
    html`<div>
      <dt>${what}</dt>
      <dd class="number" data-live=${name}>${live[name]}</dd>
    </div>`;
  return html`<section class="card" aria-labelledby="load-title">
    <h2 id="load-title">${texts.load.title}</h2>
    ${answer.attempts > 1 && html`<p class="note">${texts.load.again}</p>`}
    <div class="bar">
      <progress aria-label=${texts.load.progress} max="1" value=${share}></progress>
      <span class="percent number" data-live="percent">${live['percent']}</span>
    </div>
    ${
      answer.progress
        ? html`<dl class="figures">
            ${figure(texts.load.bytes, 'bytes')} ${figure(texts.load.files, 'files')} ${figure(texts.load.rate, 'rate')}
            ${figure(texts.load.left, 'left')}
          </dl>`
        : html`<p>${texts.load.begins}</p>`
    }
    <p class="fine">${texts.load.close}</p>
  </section>`;
}
