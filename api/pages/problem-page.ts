import type { ParameterizedContext } from 'koa';
import type { State } from '../context.ts';
import { statusOf, type Problem } from '../problem.ts';
import type { AnswerPage } from './answer-page.ts';
import { html } from './html.ts';
import { COMMON, type CommonTexts } from './texts.ts';

const KINDS: Readonly<Record<number, keyof CommonTexts['problems']>> = {
  401: 'refused',
  403: 'refused',
  404: 'missing',
  429: 'tooMany',
};
const kindOf = (status: number): keyof CommonTexts['problems'] =>
  KINDS[status] ?? (status < 500 ? 'bad' : status === 503 ? 'tooMany' : 'broken');

/** A browser says that it wants HTML most of all; whoever wants anything is a program. The API itself speaks JSON only. */
export const wantsPage = (ctx: ParameterizedContext): boolean =>
  !ctx.path.startsWith('/v1/') &&
  ctx.accepts('application/problem+json', 'application/json', 'text/html') === 'text/html';

/** A refusal for people: what happened, and the way out. */
export function answerProblemPage(ctx: ParameterizedContext<State>, problem: Problem, answer: AnswerPage): void {
  const status = statusOf(problem.code);
  ctx.status = status;
  answer(ctx, (language) => {
    const texts = COMMON[language];
    const { title, text } = texts.problems[kindOf(status)];
    return {
      title,
      main: html`<div class="card problem">
        <p class="status-number" aria-hidden="true">${status}</p>
        <h1>${title}</h1>
        <p>${text}</p>
        <p><a class="button" href="/">${texts.toStart}</a></p>
        <p class="fine">${`${texts.requestId}: `}<code>${ctx.state.requestId}</code></p>
      </div>`,
    };
  });
}
