/** The document of the operators' API, made from the schemas that check its requests. */
import type { Router } from '@koa/router';
import { z } from 'zod';
import type { State } from '../context.ts';
import { PROBLEMS, statusOf, type ProblemCode } from '../problem.ts';
import type { Operation } from './operation.ts';

type Json = Record<string, unknown>;

/** What any operation may be refused with. */
const EVERY: readonly ProblemCode[] = [
  'key_not_valid',
  'role_not_allowed',
  'rate_limited',
  'request_invalid',
  'internal',
];
const OF_PARAMS: readonly ProblemCode[] = ['not_found'];
const OF_BODIES: readonly ProblemCode[] = [
  'json_invalid',
  'body_incomplete',
  'body_too_large',
  'media_type_unsupported',
];

const schemaOf = (schema: z.ZodType, io: 'input' | 'output'): Json => {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, target: 'draft-2020-12' }) as Json;
  return rest;
};

function parametersOf(schema: z.ZodObject, place: 'path' | 'query'): Json[] {
  const { properties = {}, required = [] } = schemaOf(schema, 'input') as {
    properties?: Record<string, Json>;
    required?: string[];
  };
  return Object.entries(properties).map(([name, { description, ...of }]) => ({
    name,
    in: place,
    required: place === 'path' || required.includes(name),
    ...(description !== undefined && { description }),
    // A coerced number arrives as text, of which JSON Schema knows nothing.
    schema: Object.keys(of).length === 0 ? { type: 'string' } : of,
  }));
}

/** Every code an operation may be refused with, by HTTP status. */
export function problemsOf(operation: Operation): Map<number, ProblemCode[]> {
  const codes = [
    ...EVERY,
    ...(Object.keys(operation.params.shape).length > 0 ? OF_PARAMS : []),
    ...(operation.body ? OF_BODIES : []),
    ...operation.problems,
  ];
  return Map.groupBy(codes, statusOf);
}

function describe(operation: Operation): Json {
  const problems = [...problemsOf(operation)].map(([status, codes]) => [
    String(status),
    {
      description: codes.map((code) => `\`${code}\` ${PROBLEMS[code][1]}.`).join(' '),
      content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
    },
  ]);
  return {
    summary: operation.summary,
    description: `For keys of the role ${operation.roles.join(' or ')}.`,
    operationId: `${operation.method} ${operation.path}`.replaceAll(/[^a-zA-Z0-9]+/g, '_'),
    parameters: [...parametersOf(operation.params, 'path'), ...parametersOf(operation.query, 'query')],
    ...(operation.body && {
      requestBody: { required: true, content: { 'application/json': { schema: schemaOf(operation.body, 'input') } } },
    }),
    responses: {
      200: { description: 'Done', content: { 'application/json': { schema: schemaOf(operation.answer, 'output') } } },
      ...Object.fromEntries(problems),
    },
  };
}

const PROBLEM_SCHEMA = {
  type: 'object',
  required: ['type', 'title', 'status', 'code', 'detail'],
  properties: {
    type: { type: 'string' },
    title: { type: 'string' },
    status: { type: 'integer' },
    code: { enum: Object.keys(PROBLEMS) },
    detail: { type: 'string' },
    errors: {
      type: 'array',
      items: { type: 'object', properties: { field: { type: 'string' }, message: { type: 'string' } } },
    },
  },
};

export function openApiDocument(operations: readonly Operation[], publicUrl: string): Json {
  const paths: Record<string, Json> = {};
  for (const one of operations) paths[one.path] = { ...paths[one.path], [one.method]: describe(one) };
  return {
    openapi: '3.1.0',
    info: {
      title: 'Lading',
      version: '1',
      description: "The operators' API. Keys are made with `lading keys create`.",
    },
    servers: [{ url: publicUrl }],
    security: [{ key: [] }],
    paths,
    components: {
      securitySchemes: { key: { type: 'http', scheme: 'bearer' } },
      schemas: { Problem: PROBLEM_SCHEMA },
    },
  };
}

/** The same as a Postman collection, format 2.1. */
export const postmanCollection = (operations: readonly Operation[], publicUrl: string): Json => ({
  info: { name: 'Lading', schema: 'https://schema.getpostman.com/json/collection/v2.1.0/collection.json' },
  auth: { type: 'bearer', bearer: [{ key: 'token', value: '{{apiKey}}', type: 'string' }] },
  variable: [
    { key: 'baseUrl', value: publicUrl },
    { key: 'apiKey', value: '' },
  ],
  item: operations.map((one) => ({
    name: one.summary,
    request: {
      method: one.method.toUpperCase(),
      url: `{{baseUrl}}${one.path.replaceAll(/\{(\w+)\}/g, '{{$1}}')}`,
      header: one.body ? [{ key: 'Content-Type', value: 'application/json' }] : [],
      ...(one.body && { body: { mode: 'raw', raw: '{}', options: { raw: { language: 'json' } } } }),
    },
  })),
});

export function addDocuments(router: Router<State>, operations: readonly Operation[], publicUrl: string): void {
  const document = openApiDocument(operations, publicUrl);
  const collection = postmanCollection(operations, publicUrl);
  router.get('/openapi.json', (ctx) => {
    ctx.body = document;
  });
  router.get('/postman.json', (ctx) => {
    ctx.body = collection;
  });
}
