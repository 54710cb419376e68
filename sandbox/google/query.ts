/** The part of Drive's search language that Lading and its operators use: terms joined by `and`. */
import { invalid } from './errors.ts';
import type { DriveFile } from './tree.ts';

export type Query = { parent: string | undefined; matches: (file: DriveFile) => boolean };
type Term = { parent?: string; test: (file: DriveFile) => boolean };

const QUOTED = String.raw`'((?:[^'\\]|\\.)*)'`;
const TERMS_MAX = 20;
const unescaped = (text = ''): string => text.replaceAll(/\\(.)/g, '$1');

const GRAMMAR: readonly [RegExp, (groups: readonly string[]) => Term][] = [
  [
    new RegExp(String.raw`^${QUOTED}\s+in\s+parents`),
    ([id]) => ({ parent: unescaped(id), test: (file) => file.parents.includes(unescaped(id)) }),
  ],
  [
    new RegExp(String.raw`^(name|mimeType)\s*(=|!=)\s*${QUOTED}`),
    ([field, operator, text]) => ({
      test: (file) => (file[field as 'name' | 'mimeType'] === unescaped(text)) === (operator === '='),
    }),
  ],
  [
    new RegExp(String.raw`^name\s+contains\s+${QUOTED}`),
    // Drive matches the beginning of a word only, whatever the letter case.
    ([text]) => ({
      test: (file) => ` ${file.name.toLowerCase()}`.includes(` ${unescaped(text).toLowerCase()}`),
    }),
  ],
  [/^trashed\s*=\s*(true|false)/, ([value]) => ({ test: (file) => file.trashed === (value === 'true') })],
  [
    new RegExp(String.raw`^appProperties\s+has\s+\{\s*key\s*=\s*${QUOTED}\s+and\s+value\s*=\s*${QUOTED}\s*\}`),
    ([key, value]) => ({ test: (file) => file.appProperties[unescaped(key)] === unescaped(value) }),
  ],
];

function readTerm(text: string): { term: Term; rest: string } {
  for (const [pattern, make] of GRAMMAR) {
    const found = pattern.exec(text);
    if (found) return { term: make(found.slice(1)), rest: text.slice(found[0].length).trimStart() };
  }
  throw invalid('Invalid Value', 'q');
}

/** Parses `q`. Throws GoogleError 400 on anything outside the subset, so that a typing error never matches everything. */
export function parseQuery(q: string): Query {
  const terms: Term[] = [];
  for (let rest = q.trim(); rest !== '';) {
    if (terms.length >= TERMS_MAX) throw invalid('Invalid Value', 'q');
    const read = readTerm(rest);
    terms.push(read.term);
    if (read.rest === '') break;
    const joined = /^and\s+/.exec(read.rest);
    if (!joined) throw invalid('Invalid Value', 'q');
    rest = read.rest.slice(joined[0].length);
    if (rest === '') throw invalid('Invalid Value', 'q');
  }
  return {
    parent: terms.find((term) => term.parent !== undefined)?.parent,
    matches: (file) => terms.every((term) => term.test(file)),
  };
}
