import type { CourseRow } from '../../../sql/courses.ts';
import { html } from '../html.ts';
import type { Language } from '../language.ts';
import type { Page } from '../layout.ts';
import { SHOP } from './texts.ts';

export function shopPage(language: Language, courses: readonly CourseRow[]): Page {
  const texts = SHOP[language];
  return {
    title: texts.title,
    main: html`<h1>${texts.title}</h1>
      <ul>
        ${courses.map(({ title }) => html`<li>${title}</li>`)}
      </ul>`,
  };
}
