/** What operators and auditors look at. */
import type { Router } from '@koa/router';
import type { State } from '../../context.ts';
import { html } from '../html.ts';
import { makeGate, type ConsoleDeps } from './gate.ts';
import { addLogIn } from './login.ts';
import { CONSOLE } from './texts.ts';

export function addConsole(router: Router<State>, deps: ConsoleDeps): void {
  const gate = makeGate(router, deps);
  addLogIn(router, gate, deps);
  gate.get('/console', async ({ language }) => ({
    title: CONSOLE[language].nav.overview,
    place: 'overview',
    main: html`<h1>${CONSOLE[language].nav.overview}</h1>`,
  }));
}
