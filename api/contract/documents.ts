import { createHash } from 'node:crypto';
import type { Router } from '@koa/router';
import type { State } from '../context.ts';
import { docsPage, DOCS_STYLE } from './docs-page.ts';
import { openApiDocument } from './openapi.ts';
import type { Operation } from './operation.ts';
import { postmanCollection } from './postman.ts';

const styleDigest = createHash('sha256').update(DOCS_STYLE).digest('base64');
const PAGE_POLICY = `default-src 'none'; style-src 'sha256-${styleDigest}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

/** The API about itself: `/openapi.json`, `/postman.json`, and `/docs` for people. */
export function addDocuments(router: Router<State>, operations: readonly Operation[], publicUrl: string): void {
  // Made once, so that all who are being answered share the same bytes.
  const document = Buffer.from(JSON.stringify(openApiDocument(operations, publicUrl)));
  const collection = Buffer.from(JSON.stringify(postmanCollection(operations, publicUrl)));
  const page = Buffer.from(docsPage(operations, publicUrl));
  router.get('/openapi.json', (ctx) => {
    ctx.type = 'application/json; charset=utf-8';
    ctx.body = document;
  });
  router.get('/postman.json', (ctx) => {
    ctx.type = 'application/json; charset=utf-8';
    ctx.body = collection;
  });
  router.get('/docs', (ctx) => {
    ctx.set('Content-Security-Policy', PAGE_POLICY);
    ctx.type = 'text/html; charset=utf-8';
    ctx.body = page;
  });
}
