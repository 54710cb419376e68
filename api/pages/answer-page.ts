import type { ParameterizedContext } from 'koa';
import type { Assets } from './assets.ts';
import { documentBytes } from './html.ts';
import { layout, type Page } from './layout.ts';
import { languageOf, type Language } from './language.ts';

/**
 * What a page may load: its own host and nothing else. No script or style stands in the page itself, and a script
 * cannot turn text into markup.
 */
const PAGE_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ');

/** How pages are answered: in the reader's language, with the headers of a page. `status` stays as it is. */
export type AnswerPage = (ctx: ParameterizedContext, page: (language: Language) => Page) => void;

export const makeAnswerPage =
  (assets: Assets): AnswerPage =>
  (ctx, page) => {
    const language = languageOf(ctx);
    const body = documentBytes(layout(assets, language, page(language)));
    ctx.set('Content-Security-Policy', PAGE_POLICY);
    ctx.set('Cross-Origin-Opener-Policy', 'same-origin');
    ctx.set('Content-Language', language);
    ctx.vary('Cookie');
    ctx.body = body;
    ctx.type = 'text/html; charset=utf-8';
  };
