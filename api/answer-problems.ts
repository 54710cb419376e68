import type { Middleware, ParameterizedContext } from 'koa';
import type { State } from './context.ts';
import { Problem, problemBody, statusOf } from './problem.ts';

/** Nobody answered: Koa says 404, the router 405 or 501 with an Allow header. */
function unanswered(status: number): Problem | undefined {
  if (status === 404) return new Problem('not_found');
  return status === 405 || status === 501 ? new Problem('method_not_allowed') : undefined;
}

/** Answers a problem in another form than ours where the caller wants one; says whether it did. */
type AnswerOtherwise = (ctx: ParameterizedContext<State>, problem: Problem) => boolean;

/** Turns whatever is thrown below into problem details. An unknown error is logged and tells the caller nothing. */
export const answerProblems =
  (answerOtherwise: AnswerOtherwise = () => false): Middleware<State> =>
  async (ctx, next) => {
    let problem: Problem | undefined;
    try {
      await next();
      if (ctx.body === undefined || ctx.body === null) problem = unanswered(ctx.status);
    } catch (error) {
      if (!(error instanceof Problem)) ctx.state.log.error({ err: error }, 'request failed');
      problem = error instanceof Problem ? error : new Problem('internal');
    }
    if (problem === undefined) return;
    ctx.set(problem.headers);
    ctx.status = statusOf(problem.code);
    if (answerOtherwise(ctx, problem)) return;
    ctx.body = JSON.stringify(problemBody(problem));
    ctx.type = 'application/problem+json';
  };
