import type { CourseRow } from '../../../sql/courses.ts';
import { vndText } from '../client/figures.ts';
import { html, type Html } from '../html.ts';
import type { Language } from '../language.ts';
import type { Page } from '../layout.ts';
import { findCourses, QUERY_MAX_CHARS } from './find-courses.ts';
import { SHOP, type ShopTexts } from './texts.ts';

const SEARCH_FROM_COURSES = 8;
const EMAIL_MAX_CHARS = 320;

/** What the form shows: what was typed before, and what was wrong with it. */
export type ShopForm = {
  /** Sent along, so that a form that is posted twice is one order. */
  key: string;
  query: string;
  courseId: string | undefined;
  email: string;
  errors: { courseId?: string; email?: string; form?: string };
};

const courseChoice = (language: Language, course: CourseRow, isChosen: boolean): Html =>
  html`<label class="choice">
    <input type="radio" name="courseId" value=${course.id} checked=${isChosen} required />
    <span class="choice-title">${course.title}</span>
    <span class="price number">${vndText(language, course.price_vnd)}</span>
  </label>`;

const searchForm = (texts: ShopTexts, query: string): Html =>
  html`<form method="get" action="/" role="search" class="card search">
    <label for="q">${texts.find}</label>
    <div class="row">
      <input id="q" name="q" type="search" value=${query} maxlength=${QUERY_MAX_CHARS} />
      <button class="quiet">${texts.search}</button>
    </div>
    ${query !== '' && html`<p class="fine after"><a href="/">${texts.all}</a></p>`}
  </form>`;

function errorSummary(texts: ShopTexts, errors: ShopForm['errors']): Html | false {
  const lines = [
    errors.form !== undefined && html`<li>${errors.form}</li>`,
    errors.courseId !== undefined && html`<li><a href="#courses">${errors.courseId}</a></li>`,
    errors.email !== undefined && html`<li><a href="#email">${errors.email}</a></li>`,
  ].filter((line) => line !== false);
  if (lines.length === 0) return false;
  return html`<div class="note bad" role="alert">
    <h2>${texts.errors.title}</h2>
    <ul>
      ${lines}
    </ul>
  </div>`;
}

function orderForm(language: Language, courses: readonly CourseRow[], form: ShopForm): Html {
  const texts = SHOP[language];
  const { shown, found } = findCourses(courses, form.query, form.courseId);
  const chosen = form.courseId ?? (courses.length === 1 ? courses[0]?.id : undefined);
  const { errors } = form;
  return html`<form method="post" action="/" class="card">
    <input type="hidden" name="key" value=${form.key} />
    <fieldset id="courses" aria-describedby=${errors.courseId === undefined ? undefined : 'courses-error'}>
      <legend>${texts.choose}</legend>
      ${shown.map((course) => courseChoice(language, course, course.id === chosen))}
      ${shown.length === 0 && html`<p>${texts.notFound}</p>`}
      ${found > shown.length && html`<p class="fine">${texts.shown(shown.length, found)}</p>`}
      ${errors.courseId !== undefined && html`<p class="field-error" id="courses-error">${errors.courseId}</p>`}
    </fieldset>
    <div class="field">
      <label for="email">${texts.email}</label>
      <input
        id="email"
        name="email"
        type="email"
        inputmode="email"
        autocomplete="email"
        autocapitalize="none"
        spellcheck="false"
        required
        maxlength=${EMAIL_MAX_CHARS}
        value=${form.email}
        aria-invalid=${errors.email === undefined ? undefined : 'true'}
        aria-describedby=${errors.email === undefined ? 'email-hint' : 'email-error email-hint'}
      />
      ${errors.email !== undefined && html`<p class="field-error" id="email-error">${errors.email}</p>`}
      <p class="fine after" id="email-hint">${texts.emailHint}</p>
    </div>
    <button class="wide">${texts.submit}</button>
    <p class="fine after">${texts.next}</p>
  </form>`;
}

export function shopPage(language: Language, courses: readonly CourseRow[], form: ShopForm): Page {
  const texts = SHOP[language];
  const hasErrors = Object.keys(form.errors).length > 0;
  if (courses.length === 0)
    return {
      title: texts.title,
      styles: ['shop.css'],
      main: html`<div class="card problem">
        <h1>${texts.empty.title}</h1>
        <p>${texts.empty.text}</p>
      </div>`,
    };
  return {
    title: hasErrors ? `${texts.errors.title} · ${texts.title}` : texts.title,
    styles: ['shop.css'],
    main: html`<h1>${texts.title}</h1>
      <p class="lead">${texts.lead}</p>
      ${errorSummary(texts, form.errors)} ${courses.length >= SEARCH_FROM_COURSES && searchForm(texts, form.query)}
      ${orderForm(language, courses, form)}`,
  };
}
