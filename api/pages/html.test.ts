import { expect, test } from '@jest/globals';
import { documentBytes, html } from './html.ts';

test('what is put in stays text, in elements and in attributes, also where it looks like an element', () => {
  const evil = '"><script>alert(1)</script>&amp;';
  const looksLikeOne = { type: 'script', props: { children: 'alert(1)' }, key: null, ref: null };
  const page = documentBytes(html`<p title=${evil}>${evil} ${[evil]} ${JSON.parse(JSON.stringify(looksLikeOne))}</p>`);
  expect(page.toString()).toMatch(/^<!doctype html><p title="&quot;>&lt;script>alert\(1\)/);
  expect(page.toString()).not.toContain('<script');
});

test('a page has a limit', () => {
  const page = html`<p>${'x'.repeat(78)}</p>`;
  expect(documentBytes(page, 100)).toHaveLength(100);
  expect(() => documentBytes(page, 99)).toThrow('a page of 100 bytes');
});
