import type { Assets } from './assets.ts';
import { html, type Html } from './html.ts';
import type { Language } from './language.ts';
import { COMMON } from './texts.ts';

export type Page = {
  title: string;
  main: Html;
  /** Names of assets, besides base.css. */
  styles?: readonly string[];
  scripts?: readonly string[];
  /** Stands in the header, beside the name: a console's menu. */
  nav?: Html | undefined;
  /** Not for search engines. */
  isPrivate?: boolean;
  /** For a browser without scripts. */
  refreshSeconds?: number | undefined;
  /** Wide pages are for tables. */
  isWide?: boolean;
};

const OTHER: Readonly<Record<Language, Language>> = { vi: 'en', en: 'vi' };

/** The whole document around a page. */
export function layout(assets: Assets, language: Language, page: Page): Html {
  const texts = COMMON[language];
  const other = OTHER[language];
  return html`<html lang=${language}>
    <head>
      <meta charset="utf-8" />
      <meta name="viewport" content="width=device-width, initial-scale=1" />
      <meta name="color-scheme" content="light dark" />
      ${page.isPrivate && html`<meta name="robots" content="noindex" />`}
      <title>${page.title} · Lading</title>
      <link rel="icon" type="image/svg+xml" href=${assets.url('icon.svg')} />
      ${['base.css', ...(page.styles ?? [])].map((name) => html`<link rel="stylesheet" href=${assets.url(name)} />`)}
      ${(page.scripts ?? [])
        .flatMap((name) => assets.importsOf(name))
        .map((name) => html`<link rel="modulepreload" href=${assets.url(name)} />`)}
      ${(page.scripts ?? []).map((name) => html`<script type="module" src=${assets.url(name)}></script>`)}
      ${
        page.refreshSeconds !== undefined &&
        html`<noscript><meta http-equiv="refresh" content=${page.refreshSeconds} /></noscript>`
      }
    </head>
    <body class=${page.isWide ? 'wide' : undefined}>
      <a class="skip" href="#main">${texts.skip}</a>
      <header class="top">
        <a class="brand" href="/" aria-label=${`Lading: ${texts.home}`}>
          <img src=${assets.url('icon.svg')} alt="" width="28" height="28" />Lading</a
        >
        ${page.nav}
      </header>
      <main id="main" tabindex="-1">${page.main}</main>
      <footer class="foot">
        <a href=${`?lang=${other}`} hreflang=${other} lang=${other} rel="nofollow">${texts.switchTo}</a>
      </footer>
    </body>
  </html>`;
}
