/**
 * HTML as values: `html` is a tagged template whose every value is escaped, text and attributes alike. There is no way
 * to put in markup as a string.
 */
import { html as template } from 'htm/preact';
import type { VNode } from 'preact';
import { renderToString } from 'preact-render-to-string';

export type Html = VNode | VNode[];

export const html: (strings: TemplateStringsArray, ...values: unknown[]) => Html = template;

/** A page is built in memory before it is sent. */
export const HTML_MAX_BYTES = 512 * 1024;

/** The bytes of a whole document. Throws RangeError beyond the limit: what is shown in a list has a limit of its own. */
export function documentBytes(root: Html, maxBytes = HTML_MAX_BYTES): Buffer {
  const bytes = Buffer.from(`<!doctype html>${renderToString(root as VNode)}`);
  if (bytes.length > maxBytes) throw new RangeError(`a page of ${bytes.length} bytes`);
  return bytes;
}
