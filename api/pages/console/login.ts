import type { Router } from '@koa/router';
import { callerOfKey } from '../../operators/authenticate.ts';
import { callerOf } from '../../caller.ts';
import type { Context, State } from '../../context.ts';
import { makeLimit } from '../../rate-limit.ts';
import { html } from '../html.ts';
import type { Language } from '../language.ts';
import type { Page } from '../layout.ts';
import { limitCaller } from '../limit-caller.ts';
import { readForm } from '../read-form.ts';
import { requireOurPage, tellOwnOrigin, type ConsoleDeps, type Gate } from './gate.ts';
import { closeSession, openSession, sessionOf } from './session.ts';
import { CONSOLE } from './texts.ts';

/** From one address; somebody who mistypes is let in, somebody who guesses is not. */
export const LOG_INS_PER_FIVE_MINUTES = 20;
const FIVE_MINUTES_SECONDS = 300;

/** Only to a page of the console; anything else would send people elsewhere. */
const whereTo = (next: string | undefined): string =>
  next !== undefined && /^\/console(\/[\w./-]*)?(\?[\w=&%.-]*)?$/.test(next) && !next.startsWith('/console/login')
    ? next
    : '/console';

function logInPage(language: Language, next: string | undefined, refused?: 'keyRefused' | 'roleRefused'): Page {
  const texts = CONSOLE[language];
  return {
    title: texts.logIn,
    styles: ['console.css'],
    main: html`<div class="card log-in">
      <h1>${texts.console}</h1>
      <form method="post" action="/console/login">
        ${next !== undefined && html`<input type="hidden" name="next" value=${next} />`}
        <label for="key">${texts.key}</label>
        <input
          id="key"
          name="key"
          type="password"
          autocomplete="current-password"
          required
          maxlength="100"
          aria-describedby="hint"
          aria-invalid=${refused ? 'true' : undefined}
        />
        ${refused && html`<p class="field-error" role="alert">${texts[refused]}</p>`}
        <p class="fine" id="hint">${texts.keyHint}</p>
        <button class="wide">${texts.logIn}</button>
      </form>
    </div>`,
  };
}

export function addLogIn(router: Router<State>, gate: Gate, deps: ConsoleDeps): void {
  const limit = makeLimit(deps.pool, {
    name: 'console-login',
    requests: LOG_INS_PER_FIVE_MINUTES,
    perSeconds: FIVE_MINUTES_SECONDS,
  });
  const sessionDeps = { pool: deps.pool, limitKey: deps.limits.key, keysInUse: deps.keysInUse, isTls: deps.isTls };
  const limited = limitCaller(deps);

  router.get('/console/login', limited, async (ctx: Context) => {
    tellOwnOrigin(ctx);
    const next = typeof ctx.query['next'] === 'string' ? ctx.query['next'] : undefined;
    if (await sessionOf(ctx, sessionDeps)) {
      ctx.redirect(whereTo(next));
      ctx.status = 303;
      return;
    }
    deps.answerPage(ctx, (language) => logInPage(language, next));
  });

  router.post('/console/login', limited, async (ctx: Context) => {
    tellOwnOrigin(ctx);
    requireOurPage(ctx, deps.desk.publicUrl);
    await limit(callerOf(ctx.ip));
    const { key = '', next } = await readForm(ctx.req);
    const caller = await callerOfKey(sessionDeps, key.trim());
    if (!caller || caller.role === 'shop') {
      ctx.status = caller ? 403 : 401;
      ctx.state.log.warn({ key: caller?.name }, 'log-in refused');
      deps.answerPage(ctx, (language) => logInPage(language, next, caller ? 'roleRefused' : 'keyRefused'));
      return;
    }
    await openSession(ctx, sessionDeps, caller);
    ctx.state.log.info({ key: caller.name }, 'logged in');
    ctx.redirect(whereTo(next));
    ctx.status = 303;
  });

  gate.post('/console/logout', async ({ ctx }) => {
    await closeSession(ctx, sessionDeps);
    return '/console/login';
  });
}
