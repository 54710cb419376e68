/** Whatever is sent, every answer is one that the document describes; and the documents are those of the operations. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { z } from 'zod';
import { createKey } from '../../sql/api-keys.ts';
import type { Pool } from '../../sql/pool.ts';
import { pay } from '../payments/test-webhook.ts';
import { PROBLEMS } from '../problem.ts';
import { placeTestOrder, runAttempt, startTestApi, type TestApi } from '../test-setup.ts';
import { problemsOf } from './openapi.ts';
import type { Operation } from './operation.ts';
import { OPERATIONS } from './operations.ts';
import { postmanCollection } from './postman.ts';

let api: TestApi;
let owner: Pool;
/** What is really there, so that some of what is generated is about something. */
const known: string[] = [];
beforeAll(async () => {
  api = await startTestApi();
  owner = api.database.poolFor('lading_owner');
  for (let i = 0; i < 3; i += 1) {
    const order = await placeTestOrder(api);
    known.push(order.code, order.token);
    if (i > 0) await pay(api, order.code);
    if (i > 1) known.push((await runAttempt(api, order.code)).job_id);
  }
  await pay(api, 'nobody knows for what');
  known.push('payment:3', 'test-engine', 'handbook');
});
afterAll(() => api.stop());

type Shape = {
  type?: string;
  const?: unknown;
  enum?: unknown[];
  pattern?: string;
  format?: string;
  minimum?: number;
  maximum?: number;
  properties?: Record<string, Shape>;
  required?: string[];
  items?: Shape;
  anyOf?: Shape[];
  oneOf?: Shape[];
};

const anyText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.constantFrom('', '0', '-1', '1e3', 'null', '%', "'; --", 'event:99', 'LD9999999999', '\u0000', '\ud800', 'paid'),
  fc.uuid(),
);
const knownText = fc.nat(100).map((n) => known[n % known.length] ?? '');

/** Values of a schema, and among them some that are not. */
function valueOf(shape: Shape): fc.Arbitrary<unknown> {
  const right = ((): fc.Arbitrary<unknown> => {
    if (shape.const !== undefined) return fc.constant(shape.const);
    if (shape.enum) return fc.constantFrom(...shape.enum);
    const choices = shape.anyOf ?? shape.oneOf;
    if (choices) return fc.oneof(...choices.map(valueOf));
    if (shape.type === 'object') {
      const fields = Object.entries(shape.properties ?? {}).map(([name, of]) => [name, valueOf(of)] as const);
      return fc.record(Object.fromEntries(fields), { requiredKeys: shape.required ?? [] });
    }
    if (shape.type === 'array') return fc.array(valueOf(shape.items ?? {}), { maxLength: 3 });
    if (shape.type === 'boolean') return fc.boolean();
    if (shape.type === 'integer')
      return fc.integer({ min: Math.max(shape.minimum ?? -1e9, -1e9), max: Math.min(shape.maximum ?? 1e9, 1e9) });
    if (shape.format === 'date-time')
      return fc.date({ min: new Date(0), max: new Date(4e12), noInvalidDate: true }).map((at) => at.toISOString());
    if (shape.format === 'uri') return fc.webUrl({ validSchemes: ['https'] });
    if (shape.pattern !== undefined) return fc.oneof(fc.stringMatching(new RegExp(shape.pattern)), knownText);
    return fc.oneof(
      fc.string({ unit: 'grapheme', maxLength: 40 }),
      knownText,
      fc.integer({ min: 0, max: 200 }).map(String),
    );
  })();
  return fc.oneof(
    { weight: 12, arbitrary: right },
    { weight: 1, arbitrary: fc.oneof(anyText, fc.jsonValue({ maxDepth: 1 })) },
  );
}

const shapeOf = (schema: z.ZodType): Shape => z.toJSONSchema(schema, { io: 'input' }) as Shape;

const requestOf = (operation: Operation) =>
  fc.record({
    operation: fc.constant(operation),
    params: valueOf(shapeOf(operation.params)),
    query: valueOf(shapeOf(operation.query)),
    body: operation.body ? valueOf(shapeOf(operation.body)) : fc.constant(undefined),
    isJson: fc.integer({ min: 0, max: 20 }).map((n) => n > 0),
    key: fc.constantFrom('operator', 'operator', 'operator', 'auditor', 'shop', 'none'),
    idempotencyKey: fc.oneof(fc.uuid(), fc.constant('x')),
  });

const texts = (value: unknown): Record<string, string> =>
  typeof value === 'object' && value !== null
    ? Object.fromEntries(
        Object.entries(value).map(([name, one]) => [name, typeof one === 'string' ? one : JSON.stringify(one)]),
      )
    : {};
const encode = (text: string): string => encodeURIComponent(text.toWellFormed() || 'x');

const problem = z.strictObject({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  code: z.enum(Object.keys(PROBLEMS) as [keyof typeof PROBLEMS]),
  detail: z.string(),
  errors: z.array(z.strictObject({ field: z.string(), message: z.string() })).optional(),
});

async function newKeys(): Promise<Record<string, string>> {
  const made: Record<string, string> = {};
  for (const role of ['operator', 'auditor', 'shop'] as const)
    made[role] = (await createKey(owner, { name: `generated ${role}`, role, createdBy: 'a test', days: 1 })).key;
  return made;
}

test('whatever is sent, every answer is one the document describes', async () => {
  let keys = await newKeys();
  let sent = 0;
  const seen = new Map<string, Set<number>>();
  const runOf = async ({ operation, params, query, body, isJson, key, idempotencyKey }: RequestMade): Promise<void> => {
    sent += 1;
    // Fresh ones, so that the limit of a key does not answer for all of them.
    if (sent % 400 === 0) keys = await newKeys();
    const given = texts(params);
    const path = operation.path.replaceAll(/\{(\w+)\}/g, (_, name: string) => encode(given[name] ?? 'x'));
    const wanted = Object.entries(texts(query)).map(([name, value]) => `${encode(name)}=${encode(value)}`);
    const gone = new AbortController();
    const response = await fetch(`${api.url}${path}?${wanted.join('&')}`, {
      method: operation.method.toUpperCase(),
      signal: gone.signal,
      headers: {
        ...(key !== 'none' && { Authorization: `Bearer ${keys[key]}` }),
        'Content-Type': 'application/json',
        'Idempotency-Key': idempotencyKey,
      },
      ...(operation.method !== 'get' && { body: `${isJson ? '' : 'x'}${JSON.stringify(body) ?? ''}` }),
    });
    const name = `${operation.method} ${operation.path}`;
    seen.set(name, (seen.get(name) ?? new Set()).add(response.status));
    const type = response.headers.get('content-type')?.split(';')[0] ?? '';
    const isStated = (operation.statuses ?? [200]).includes(response.status);
    if (isStated && operation.media) {
      expect(operation.media).toContain(type);
      gone.abort();
      return;
    }
    const answer: unknown = await response.json();
    if (isStated) {
      expect(type).toBe('application/json');
      operation.answer.parse(answer);
      return;
    }
    const { code, status } = problem.parse(answer);
    expect([type, status]).toEqual(['application/problem+json', response.status]);
    expect(response.status).toBeLessThan(500);
    // A parameter may make the path another one: "." and ".." are gone before we see them.
    expect([...(problemsOf(operation).get(status) ?? []), 'not_found', 'method_not_allowed']).toContain(code);
  };
  await fc.assert(fc.asyncProperty(fc.oneof(...OPERATIONS.map(requestOf)), runOf), { numRuns: 1_500 });
  expect(seen.size).toBe(OPERATIONS.length);
  // Not all of it is refused: what is generated reaches the acts themselves.
  const reached = [...seen].filter(([, statuses]) => [...statuses].some((status) => status < 300)).length;
  expect(reached).toBeGreaterThan(OPERATIONS.length / 2);
}, 60_000);
type RequestMade = ReturnType<typeof requestOf> extends fc.Arbitrary<infer Made> ? Made : never;

test('the document has every operation, each under an id of its own, and every parameter of its path', async () => {
  const document = (await (await fetch(`${api.url}/openapi.json`)).json()) as {
    openapi: string;
    paths: Record<string, Record<string, { operationId: string; parameters: { name: string; in: string }[] }>>;
  };
  expect(document.openapi).toBe('3.1.0');
  const all = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.values(methods).map((one) => ({ path, ...one })),
  );
  expect(all).toHaveLength(OPERATIONS.length);
  expect(new Set(all.map(({ operationId }) => operationId)).size).toBe(all.length);
  for (const { path, parameters } of all)
    expect(parameters.filter((one) => one.in === 'path').map(({ name }) => `{${name}}`)).toEqual(
      path.match(/\{\w+\}/g) ?? [],
    );
  expect(Object.keys(document.paths)).toContain('/v1/orders/{token}/events');
});

test('its page has every operation and no script, and may load nothing', async () => {
  const response = await fetch(`${api.url}/docs`);
  const page = await response.text();
  expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8');
  expect(response.headers.get('content-security-policy')).toMatch(/^default-src 'none'; style-src 'sha256-[^']+';/);
  const [, style = ''] = /<style>([^]*?)<\/style>/.exec(page) ?? [];
  const digest = createHash('sha256').update(style).digest('base64');
  expect(response.headers.get('content-security-policy')).toContain(`style-src 'sha256-${digest}'`);
  expect(page.match(/<h2 id=/g)).toHaveLength(OPERATIONS.length);
  expect(page).not.toMatch(/<script|<link|<img|javascript:|\son\w+=/i);
  for (const [, target] of page.matchAll(/href="#([^"]+)"/g)) expect(page).toContain(`<h2 id="${target}"`);
});

test('the Postman collection in docs/ is that of the operations; `node script/postman.ts` writes it anew', async () => {
  const written = JSON.parse(readFileSync(new URL('../../docs/postman.json', import.meta.url), 'utf8')) as unknown;
  expect(written).toEqual(postmanCollection(OPERATIONS, 'http://127.0.0.1:8080'));
  const served = (await (await fetch(`${api.url}/postman.json`)).json()) as { item: object[] };
  expect(served.item).toHaveLength(OPERATIONS.length);
});
