/** The part of Drive's search language that its clients use: terms with `and`, `or`, `not` and parentheses. */
import { invalid } from './errors.ts';
import type { DriveFile } from './tree.ts';

/** `parent` narrows the search where every match must lie in that folder. */
export type Query = { parent: string | undefined; matches: (file: DriveFile) => boolean };
type Test = (file: DriveFile) => boolean;
type Term = { parent?: string; test: Test };

const QUOTED = String.raw`'((?:[^'\\]|\\.)*)'`;
const TERMS_MAX = 200;
const DEPTH_MAX = 8;
const unescaped = (text = ''): string => text.replaceAll(/\\(.)/g, '$1');

const COMPARE: Readonly<Record<string, (a: number, b: number) => boolean>> = {
  '=': (a, b) => a === b,
  '!=': (a, b) => a !== b,
  '<': (a, b) => a < b,
  '<=': (a, b) => a <= b,
  '>': (a, b) => a > b,
  '>=': (a, b) => a >= b,
};

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
  [
    new RegExp(String.raw`^(modifiedTime|createdTime)\s*(<=|>=|!=|=|<|>)\s*${QUOTED}`),
    ([field, operator = '=', text]) => {
      const at = Date.parse(unescaped(text));
      if (Number.isNaN(at)) throw invalid('Invalid Value', 'q');
      return {
        test: (file) => COMPARE[operator]?.(Date.parse(file[field as 'modifiedTime' | 'createdTime']), at) ?? false,
      };
    },
  ],
  [/^trashed\s*=\s*(true|false)/, ([value]) => ({ test: (file) => file.trashed === (value === 'true') })],
  // Nothing here lies outside the shared drive.
  [/^sharedWithMe\s*=\s*(true|false)/, ([value]) => ({ test: () => value === 'false' })],
  [
    new RegExp(String.raw`^appProperties\s+has\s+\{\s*key\s*=\s*${QUOTED}\s+and\s+value\s*=\s*${QUOTED}\s*\}`),
    ([key, value]) => ({ test: (file) => file.appProperties[unescaped(key)] === unescaped(value) }),
  ],
];

/** Parses `q`. Throws GoogleError 400 on anything outside the subset, so that a typing error never matches everything. */
export function parseQuery(q: string): Query {
  let rest = q.trim();
  let terms = 0;
  const take = (pattern: RegExp): RegExpExecArray | null => {
    const found = pattern.exec(rest);
    if (found) rest = rest.slice(found[0].length).trimStart();
    return found;
  };
  const readTerm = (depth: number): Term => {
    terms += 1;
    if (terms > TERMS_MAX || depth > DEPTH_MAX) throw invalid('Invalid Value', 'q');
    if (take(/^not\b/)) {
      const { test } = readTerm(depth + 1);
      return { test: (file) => !test(file) };
    }
    if (take(/^\(/)) {
      const inner = readAny(depth + 1);
      if (!take(/^\)/)) throw invalid('Invalid Value', 'q');
      return inner;
    }
    for (const [pattern, make] of GRAMMAR) {
      const found = take(pattern);
      if (found) return make(found.slice(1));
    }
    throw invalid('Invalid Value', 'q');
  };
  const readAll = (depth: number): Term => {
    const all = [readTerm(depth)];
    while (take(/^and\b/)) all.push(readTerm(depth));
    const parent = all.find((term) => term.parent !== undefined)?.parent;
    return { ...(parent === undefined ? {} : { parent }), test: (file) => all.every(({ test }) => test(file)) };
  };
  const readAny = (depth: number): Term => {
    const any = [readAll(depth)];
    while (take(/^or\b/)) any.push(readAll(depth));
    const [only] = any;
    return any.length === 1 && only ? only : { test: (file) => any.some(({ test }) => test(file)) };
  };
  if (rest === '') return { parent: undefined, matches: () => true };
  const whole = readAny(0);
  if (rest !== '') throw invalid('Invalid Value', 'q');
  return { parent: whole.parent, matches: whole.test };
}
