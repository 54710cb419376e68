/**
 * Partial responses: `fields=id,files(id,name),error/errors`. Drive answers very little without it (no checksum, no size),
 * and code that forgets to ask must find that out here.
 */
import { invalid } from './errors.ts';

type Selection = Map<string, Selection | 'all'>;
const DEPTH_MAX = 8;

function parse(text: string): Selection {
  const tokens = text.match(/[A-Za-z0-9_*]+|[(),/]/g) ?? [];
  if (tokens.join('') !== text.replaceAll(/\s/g, '')) throw invalid(`Invalid field selection ${text}`, 'fields');
  let at = 0;
  const readList = (depth: number): Selection => {
    if (depth > DEPTH_MAX) throw invalid('Invalid field selection', 'fields');
    const selection: Selection = new Map();
    do {
      const [name, inner] = readOne(depth);
      const before = selection.get(name);
      selection.set(name, before instanceof Map && inner instanceof Map ? new Map([...before, ...inner]) : inner);
    } while (tokens[at] === ',' && ++at);
    return selection;
  };
  const readOne = (depth: number): [string, Selection | 'all'] => {
    const name = tokens[at++];
    if (name === undefined || !/^[\w*]+$/.test(name)) throw invalid(`Invalid field selection ${name ?? ''}`, 'fields');
    if (tokens[at] === '/') {
      at += 1;
      return [name, new Map([readOne(depth + 1)])];
    }
    if (tokens[at] !== '(') return [name, 'all'];
    at += 1;
    const inner = readList(depth + 1);
    if (tokens[at++] !== ')') throw invalid('Invalid field selection', 'fields');
    return [name, inner];
  };
  const selection = readList(0);
  if (at < tokens.length) throw invalid(`Invalid field selection ${tokens[at]}`, 'fields');
  return selection;
}

function pick(value: unknown, selection: Selection | 'all'): unknown {
  if (selection === 'all' || typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => pick(item, selection));
  const star = selection.get('*');
  const chosen = Object.entries(value).flatMap(([key, inner]) => {
    const wanted = selection.get(key) ?? star;
    return wanted === undefined ? [] : [[key, pick(inner, wanted)] as const];
  });
  return Object.fromEntries(chosen);
}

/** The part of `resource` that `fields` names, or that Drive answers by default. Throws GoogleError 400 on bad syntax. */
export function selectFields(resource: object, fields: string | undefined, byDefault: string): object {
  return pick(resource, parse(fields === undefined || fields === '' ? byDefault : fields)) as object;
}
