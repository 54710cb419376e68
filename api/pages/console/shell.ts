/** The frame of every page of the console. */
import { html, type Html } from '../html.ts';
import type { Language } from '../language.ts';
import type { Page } from '../layout.ts';
import type { Session } from './session.ts';
import { CONSOLE, type ConsoleTexts } from './texts.ts';

export type Place = keyof ConsoleTexts['nav'];

const PATHS: Readonly<Record<Place, string>> = {
  overview: '/console',
  jobs: '/console/jobs',
  orders: '/console/orders',
  deadLetters: '/console/dead-letters',
  payments: '/console/payments',
  courses: '/console/courses',
  engines: '/console/engines',
  audit: '/console/audit',
};

export type ConsolePage = {
  title: string;
  place: Place | undefined;
  main: Html;
  scripts?: readonly string[];
  /** Looks again when something moves (console-live.ts), and now and then without scripts. */
  liveFrom?: string;
};

const REFRESH_SECONDS = 15;

/** The token of the session's forms, and where a refused one goes back to. */
export const formToken = (session: Session): Html =>
  html`<input type="hidden" name="token" value=${session.formToken} />`;

const navigation = (language: Language, session: Session, place: Place | undefined): Html => {
  const texts = CONSOLE[language];
  return html`<nav class="console-nav" aria-label=${texts.console}>
      ${Object.entries(PATHS).map(
        ([name, path]) =>
          html`<a href=${path} aria-current=${name === place ? 'page' : undefined}>${texts.nav[name as Place]}</a>`,
      )}
    </nav>
    <form class="who" method="post" action="/console/logout">
      ${formToken(session)}<span>${session.caller.name} <small>${texts.roles[session.caller.role]}</small></span>
      <button class="quiet small">${texts.logOut}</button>
    </form>`;
};

export function shell(language: Language, session: Session, page: ConsolePage): Page {
  const { liveFrom } = page;
  const texts = CONSOLE[language];
  return {
    title: page.title,
    isWide: true,
    styles: ['console.css', ...(page.scripts?.includes('console-plot.ts') ? ['uPlot.min.css'] : [])],
    scripts: [...(liveFrom === undefined ? [] : ['console-live.ts']), ...(page.scripts ?? [])],
    refreshSeconds: liveFrom === undefined ? undefined : REFRESH_SECONDS,
    nav: navigation(language, session, page.place),
    main: html`<div class="console">
      ${
        liveFrom !== undefined &&
        html`<p
          class="live"
          role="status"
          data-live=${liveFrom}
          data-text=${texts.live}
          data-lost=${texts.liveLost}
        ></p>`
      }
      ${page.main}
    </div>`,
  };
}
