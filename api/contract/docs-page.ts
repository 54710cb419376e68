/** The document as a page for people: made once, without scripts, from the same operations. */
import { z } from 'zod';
import { PROBLEMS } from '../problem.ts';
import { problemsOf, whoMay } from './openapi.ts';
import type { Operation } from './operation.ts';

export const DOCS_STYLE = `
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1a1a1a; background: #fff }
h1 { margin-bottom: 0 } h2 { margin-top: 2.5rem; border-top: 1px solid #ccc; padding-top: 1rem; font-size: 1.15rem }
code, pre { font: 14px/1.45 ui-monospace, monospace } pre { background: #f4f4f4; padding: .75rem; overflow-x: auto }
table { border-collapse: collapse; width: 100% } th, td { text-align: left; vertical-align: top; padding: .25rem .5rem; border-bottom: 1px solid #ddd }
.method { display: inline-block; min-width: 3.5rem; font-weight: 700 } nav li { list-style: none } nav ul { padding: 0 }
summary { cursor: pointer } a { color: #0645ad }
@media (prefers-color-scheme: dark) { body { color: #e6e6e6; background: #161616 } pre { background: #242424 } a { color: #8ab4f8 } h2, th, td { border-color: #444 } }
`;

const ESCAPES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
const escape = (text: string): string => text.replaceAll(/[&<>"']/g, (character) => ESCAPES[character] ?? '');

const idOf = (one: Operation): string => `${one.method} ${one.path}`.replaceAll(/[^a-zA-Z0-9]+/g, '-');
const titleOf = (one: Operation): string =>
  `<span class="method">${one.method.toUpperCase()}</span> <code>${escape(one.path)}</code>`;

function schemaText(schema: z.ZodType, io: 'input' | 'output'): string {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, target: 'draft-2020-12' });
  return `<pre>${escape(JSON.stringify(rest, undefined, 2))}</pre>`;
}

const PLACES = { params: 'path', query: 'query', headers: 'header' } as const;

function parameters(one: Operation): string {
  const rows = (['params', 'query', 'headers'] as const).flatMap((where) =>
    Object.entries(one[where].shape).map(([name, schema]) => {
      const about = (schema as z.ZodType).description ?? '';
      return `<tr><td><code>${escape(name)}</code></td><td>${PLACES[where]}</td><td>${escape(about)}</td></tr>`;
    }),
  );
  return rows.length === 0 ? '' : `<table><tr><th>parameter</th><th>in</th><th></th></tr>${rows.join('')}</table>`;
}

function refusals(one: Operation): string {
  const rows = [...problemsOf(one)]
    .toSorted(([a], [b]) => a - b)
    .flatMap(([status, codes]) =>
      codes.map(
        (code) => `<tr><td>${status}</td><td><code>${code}</code></td><td>${escape(PROBLEMS[code][1])}</td></tr>`,
      ),
    );
  return `<details><summary>Refusals</summary><table>${rows.join('')}</table></details>`;
}

function section(one: Operation): string {
  const answer = one.media
    ? `<p>Answers <code>${one.media.map(escape).join('</code> or <code>')}</code>. ${escape(one.answer.description ?? '')}</p>`
    : `<details><summary>Answer</summary>${schemaText(one.answer, 'output')}</details>`;
  const body = one.body ? `<details><summary>Body</summary>${schemaText(one.body, 'input')}</details>` : '';
  return `<h2 id="${idOf(one)}">${titleOf(one)}</h2>
<p>${escape(one.summary)}. ${escape(whoMay(one))}</p>
${parameters(one)}${body}${answer}${refusals(one)}`;
}

export const docsPage = (operations: readonly Operation[], publicUrl: string): string => `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Lading: the API</title><style>${DOCS_STYLE}</style></head><body>
<h1>Lading: the API</h1>
<p>At <code>${escape(publicUrl)}</code>. For programs: <a href="/openapi.json">OpenAPI 3.1</a>,
<a href="/postman.json">Postman</a>. Keys are made with <code>lading keys create</code> and sent as
<code>Authorization: Bearer lk_…</code>. Refusals are <code>application/problem+json</code> with a stable <code>code</code>.</p>
<nav><ul>${operations.map((one) => `<li><a href="#${idOf(one)}">${titleOf(one)}</a> ${escape(one.summary)}</li>`).join('\n')}</ul></nav>
${operations.map(section).join('\n')}
</body></html>
`;
