/** The document of the API, made from the schemas that check its requests. */
import { z } from 'zod';
import { PROBLEMS, statusOf, type ProblemCode } from '../problem.ts';
import type { Operation } from './operation.ts';

type Json = Record<string, unknown>;

/** What any operation may be refused with, and what any that a key opens. */
const EVERY: readonly ProblemCode[] = ['request_invalid', 'internal'];
const OF_KEYS: readonly ProblemCode[] = ['key_not_valid', 'role_not_allowed', 'rate_limited'];
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

function parametersOf(schema: z.ZodObject, place: 'path' | 'query' | 'header'): Json[] {
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
    ...(operation.roles.length > 0 ? OF_KEYS : []),
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
  const { roles, keyIsOptional = false, media, statuses = [200] } = operation;
  const answers = media
    ? Object.fromEntries(media.map((type) => [type, { schema: { type: 'string' } }]))
    : { 'application/json': { schema: schemaOf(operation.answer, 'output') } };
  const done = { description: (media && operation.answer.description) ?? 'Done', content: answers };
  const security = [...(keyIsOptional || roles.length === 0 ? [{}] : []), ...(roles.length > 0 ? [{ key: [] }] : [])];
  return {
    summary: operation.summary,
    description: whoMay(operation),
    operationId: `${operation.method} ${operation.path}`.replaceAll(/[^a-zA-Z0-9]+/g, '_'),
    security,
    parameters: [
      ...parametersOf(operation.params, 'path'),
      ...parametersOf(operation.query, 'query'),
      ...parametersOf(operation.headers, 'header'),
    ],
    ...(operation.body && {
      requestBody: { required: true, content: { 'application/json': { schema: schemaOf(operation.body, 'input') } } },
    }),
    responses: { ...Object.fromEntries(statuses.map((status) => [status, done])), ...Object.fromEntries(problems) },
  };
}

/** In words, for the document and its page. */
export function whoMay({ roles, keyIsOptional = false }: Operation): string {
  if (roles.length === 0) return 'For anybody.';
  const keys = `keys of the role ${roles.join(' or ')}`;
  return keyIsOptional ? `For anybody; also with ${keys}.` : `For ${keys}.`;
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
      description: 'Orders of courses, and what operators, auditors and shops do with keys (`lading keys create`).',
    },
    servers: [{ url: publicUrl }],
    paths,
    components: {
      securitySchemes: { key: { type: 'http', scheme: 'bearer' } },
      schemas: { Problem: PROBLEM_SCHEMA },
    },
  };
}
