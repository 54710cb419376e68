/**
 * What may be asked of the Docker Engine API through the guard, judged by the request line alone. Pure. Everything that is
 * not named here is refused; what passes is written anew, so that no two readers of one request can differ.
 */
import { LABEL } from '../orchestrator/container-spec.ts';

const VERSION = String.raw`/v1\.(?:4[1-9]|5[01])`;
const ID = '[0-9a-f]{64}';
const URL_MAX_CHARS = 4_096;
const WORD = /^[\w.-]{1,128}$/;

export type Rules = {
  installation: string;
  /** As the orchestrator names it in a path. */
  image: string;
};

export type Call = {
  /** For the log and the metrics. */
  name: string;
  method: string;
  /** Up to and without the container; with `{id}` where the container's id is to stand. */
  path: string;
  /** A container's id or name, which must be one of ours. */
  container?: string;
  /** Containers named elsewhere, which must be ours as well. */
  alsoOurs?: readonly string[];
  /** What the body is: nothing, or a container to be made under `name`. */
  create?: { name: string };
  isUpgrade?: boolean;
};
export const REFUSALS = [
  'body',
  'body_too_large',
  'call',
  'create_body',
  'filters',
  'foreign_container',
  'foreign_containers',
  'image',
  'method',
  'name',
  'profile',
  'query',
  'too_long',
  'upgrade',
] as const;
export type Refusal = { refused: (typeof REFUSALS)[number] };

type Query = ReadonlyMap<string, string>;
type Route = {
  name: string;
  method: string;
  path: RegExp;
  /** Every parameter that may stand there, and its values; none may stand there twice. */
  query?: Readonly<Record<string, RegExp>>;
  needs?: readonly string[];
  isUpgrade?: boolean;
  more?: (query: Query, rules: Rules) => Partial<Call> | Refusal;
};

const TRUE = /^(?:true|1)$/;
const NUMBER = /^\d{1,10}(?:\.\d{1,9})?$/;
const ANY = /^[^\0]{1,2048}$/;

function filtersOf(query: Query): Record<string, unknown> | undefined {
  try {
    const parsed: unknown = JSON.parse(query.get('filters') ?? '');
    return typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)
      ? (parsed as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}
const isTexts = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((one) => typeof one === 'string' && one.length <= 256);

/** Only what carries the labels of this installation; a filter that asks for more is one that shows less. */
function ownLabels(query: Query, { installation }: Rules): Partial<Call> | Refusal {
  const filters = filtersOf(query);
  const label = filters?.['label'];
  if (!filters || Object.keys(filters).length !== 1 || !isTexts(label)) return { refused: 'filters' };
  return label.includes(`${LABEL.installation}=${installation}`) ? {} : { refused: 'foreign_containers' };
}

function ownEvents(query: Query): Partial<Call> | Refusal {
  const filters = filtersOf(query);
  if (!filters || Object.keys(filters).toSorted().join() !== 'container,event') return { refused: 'filters' };
  const { container, event } = filters;
  if (!isTexts(event) || event.join() !== 'oom' || !isTexts(container) || container.length === 0)
    return { refused: 'filters' };
  return container.every((one) => new RegExp(`^${ID}$`).test(one)) ? { alsoOurs: container } : { refused: 'filters' };
}

const named = (query: Query, { installation }: Rules): { name: string } | Refusal => {
  const name = query.get('name') ?? '';
  return WORD.test(name) && name.startsWith(`lading-${installation}-`) ? { name } : { refused: 'name' };
};

const at = (rest: string): RegExp => new RegExp(`^${VERSION}${rest}$`);
const container = (rest: string): RegExp => at(`/containers/(?<container>${ID}|lading-[\\w.-]{1,120})${rest}`);

const ROUTES: readonly Route[] = [
  { name: 'version', method: 'GET', path: /^\/version$/ },
  { name: 'info', method: 'GET', path: at('/info') },
  {
    name: 'image',
    method: 'GET',
    path: at('/images/(?<image>[A-Za-z0-9%._-]{1,512})/json'),
  },
  {
    name: 'create',
    method: 'POST',
    path: at('/containers/create'),
    query: { name: WORD },
    needs: ['name'],
    more: (query, rules) => {
      const found = named(query, rules);
      return 'refused' in found ? found : { create: found };
    },
  },
  {
    name: 'list',
    method: 'GET',
    path: at('/containers/json'),
    query: { all: TRUE, filters: ANY },
    needs: ['filters'],
    more: ownLabels,
  },
  { name: 'inspect', method: 'GET', path: container('/json') },
  {
    name: 'stats',
    method: 'GET',
    path: container('/stats'),
    query: { stream: /^(?:false|0)$/, 'one-shot': TRUE },
    needs: ['stream'],
  },
  { name: 'start', method: 'POST', path: container('/start') },
  {
    name: 'attach',
    method: 'POST',
    path: container('/attach'),
    query: { stream: TRUE, stdin: TRUE, stdout: TRUE },
    needs: ['stream'],
    isUpgrade: true,
  },
  {
    name: 'logs',
    method: 'GET',
    path: container('/logs'),
    query: { follow: TRUE, stdout: TRUE, stderr: TRUE, timestamps: TRUE, since: NUMBER, tail: /^\d{1,10}$/ },
  },
  { name: 'wait', method: 'POST', path: container('/wait') },
  { name: 'stop', method: 'POST', path: container('/stop'), query: { t: /^\d{1,4}$/ } },
  { name: 'remove', method: 'DELETE', path: container(''), query: { force: TRUE, v: TRUE } },
  {
    name: 'rename',
    method: 'POST',
    path: container('/rename'),
    query: { name: WORD },
    needs: ['name'],
    more: (query, rules) => {
      const found = named(query, rules);
      return 'refused' in found ? found : {};
    },
  },
  {
    name: 'events',
    method: 'GET',
    path: at('/events'),
    query: { since: NUMBER, until: NUMBER, filters: ANY },
    needs: ['until', 'filters'],
    more: ownEvents,
  },
];

/** The parameters, each once and each one that may stand there. */
function readQuery(text: string, route: Route): Query | undefined {
  const given = [...new URLSearchParams(text)];
  const query = new Map(given);
  if (query.size !== given.length) return undefined;
  for (const [name, value] of query) if (route.query?.[name]?.test(value) !== true) return undefined;
  return (route.needs ?? []).every((name) => query.has(name)) ? query : undefined;
}

/** `target` is the request's, as it came. */
export function judge(method: string, target: string, isUpgrade: boolean, rules: Rules): Call | Refusal {
  if (target.length > URL_MAX_CHARS) return { refused: 'too_long' };
  const [path = '', text = '', ...more] = target.split('?');
  if (more.length > 0) return { refused: 'query' };
  const known = ROUTES.filter((route) => route.path.test(path));
  if (known.length === 0) return { refused: 'call' };
  const route = known.find((one) => one.method === method);
  if (!route) return { refused: 'method' };
  if (isUpgrade !== (route.isUpgrade ?? false)) return { refused: 'upgrade' };
  const groups = route.path.exec(path)?.groups ?? {};
  if (groups['image'] !== undefined && groups['image'] !== encodeURIComponent(rules.image)) return { refused: 'image' };
  const query = readQuery(text, route);
  if (!query) return { refused: 'query' };
  const found = route.more?.(query, rules) ?? {};
  if ('refused' in found) return found;
  const written = new URLSearchParams([...query]).toString();
  const { container: one } = groups;
  return {
    name: route.name,
    method,
    path: `${one === undefined ? path : path.replace(one, '{id}')}${written === '' ? '' : `?${written}`}`,
    ...(one !== undefined && { container: one }),
    ...(route.isUpgrade && { isUpgrade: true }),
    ...found,
  };
}
