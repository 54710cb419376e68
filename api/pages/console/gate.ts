/**
 * The one door to the console: every page and every form behind it has a session, every form was sent by a page of ours
 * and carries the session's token, and what it does is an operation of the API, performed as a key's call would be.
 */
import type { Router } from '@koa/router';
import { perform, type Operation } from '../../contract/operation.ts';
import { callerOf } from '../../caller.ts';
import type { Context, State } from '../../context.ts';
import { Problem, statusOf } from '../../problem.ts';
import { languageOf, type Language } from '../language.ts';
import type { AnswerPage } from '../answer-page.ts';
import { readForm } from '../read-form.ts';
import type { PageDeps } from '../routes.ts';
import { refusedPage } from './refused-page.ts';
import { isFromOurPage } from './same-origin.ts';
import { checkForm, sessionOf, type Session } from './session.ts';
import { shell, type ConsolePage } from './shell.ts';

export type Fields = Readonly<Record<string, string>>;
type Given = { params?: object; query?: object; body?: unknown };

export type Visit = {
  ctx: Context;
  session: Session;
  language: Language;
  /** What the address carries after its `?`, of several with one name the last. */
  query: Fields;
  /** Performs an operation for the session. Throws Problem. */
  call: <Answer>(one: Operation<Answer>, given?: Given) => Promise<Answer>;
  /** Whether the session's role may; for leaving out what would be refused. */
  may: (one: Operation) => boolean;
};

export type Gate = {
  get: (path: string, page: (visit: Visit) => Promise<ConsolePage>) => void;
  /** For what is no page: `answer` sets the body itself. */
  stream: (path: string, answer: (visit: Visit) => Promise<void>) => void;
  /** Answers a page, or where to go after the form was acted on. */
  post: (path: string, act: (visit: Visit, form: Fields) => Promise<string | ConsolePage>) => void;
};

export type ConsoleDeps = PageDeps & { isTls: boolean; answerPage: AnswerPage };

const FORM_MAX_BYTES = 64 * 1024;
const LOG_IN = '/console/login';

export const requireOurPage = (ctx: Context, publicUrl: string): void => {
  const sent = { site: ctx.get('Sec-Fetch-Site'), origin: ctx.get('Origin'), host: ctx.host };
  if (!isFromOurPage(sent, publicUrl)) throw new Problem('form_not_ours');
};

/** The origin of a page stands in its forms only if the page may say where it was. */
export const tellOwnOrigin = (ctx: Context): void => ctx.set('Referrer-Policy', 'same-origin');

function visitOf(ctx: Context, deps: ConsoleDeps, session: Session): Visit {
  return {
    ctx,
    session,
    language: languageOf(ctx),
    query: Object.fromEntries(
      Object.entries(ctx.query).flatMap(([name, value]) => {
        const last = Array.isArray(value) ? value.at(-1) : value;
        // A field that was left empty is none.
        return last === undefined || last === '' ? [] : [[name, last]];
      }),
    ),
    call: (one, { params = {}, query = {}, body } = {}) =>
      perform(ctx, deps, one, session.caller, { params, query, body: async () => body }),
    may: (one) => one.roles.includes(session.caller.role),
  };
}

export function makeGate(router: Router<State>, deps: ConsoleDeps): Gate {
  const sessionDeps = { pool: deps.pool, limitKey: deps.limits.key, isTls: deps.isTls };
  const answer = (visit: Visit, page: ConsolePage): void =>
    deps.answerPage(visit.ctx, (language) => shell(language, visit.session, page));

  /** What is refused is said on a page of the console. */
  async function within(ctx: Context, act: (visit: Visit) => Promise<void>): Promise<void> {
    await deps.limits.caller(callerOf(ctx.ip));
    tellOwnOrigin(ctx);
    const session = await sessionOf(ctx, sessionDeps);
    if (!session) {
      const wanted = ctx.method === 'GET' && ctx.path !== '/console' ? `?next=${encodeURIComponent(ctx.url)}` : '';
      ctx.status = 303;
      ctx.redirect(`${LOG_IN}${wanted}`);
      return;
    }
    const visit = visitOf(ctx, deps, session);
    try {
      await act(visit);
    } catch (error) {
      if (!(error instanceof Problem) || error.code === 'internal') throw error;
      ctx.set(error.headers);
      ctx.status = statusOf(error.code);
      answer(visit, refusedPage(visit.language, error, ctx.state.requestId));
    }
  }

  return {
    get: (path, page) => void router.get(path, (ctx) => within(ctx, async (visit) => answer(visit, await page(visit)))),
    stream: (path, act) => void router.get(path, (ctx) => within(ctx, act)),
    post: (path, act) =>
      void router.post(path, (ctx) =>
        within(ctx, async (visit) => {
          requireOurPage(ctx, deps.desk.publicUrl);
          const { token, ...fields } = await readForm(ctx.req, FORM_MAX_BYTES);
          checkForm(visit.session, token);
          const done = await act(visit, fields);
          if (typeof done !== 'string') return answer(visit, done);
          ctx.redirect(done);
          ctx.status = 303;
        }),
      ),
  };
}
