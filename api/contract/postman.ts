/** The API as a Postman collection, format 2.1; `docs/postman.json` is it for a Lading on this machine. */
import type { Operation } from './operation.ts';
import { exampleOf } from './example.ts';

type Json = Record<string, unknown>;

const headersOf = (one: Operation): Json[] => [
  ...(one.body ? [{ key: 'Content-Type', value: 'application/json' }] : []),
  ...Object.keys(one.headers.shape).map((key) => ({ key, value: '{{$guid}}' })),
];

/** Query parameters are there, switched off: which of them are wanted is for the caller to say. */
const urlOf = (one: Operation): Json => {
  const path = one.path.replaceAll(/\{(\w+)\}/g, ':$1');
  const query = Object.keys(one.query.shape).map((key) => ({ key, value: '', disabled: true }));
  const variable = Object.keys(one.params.shape).map((key) => ({ key, value: '' }));
  return {
    raw: `{{baseUrl}}${path}`,
    host: ['{{baseUrl}}'],
    path: path.split('/').slice(1),
    ...(query.length > 0 && { query }),
    ...(variable.length > 0 && { variable }),
  };
};

const itemOf = (one: Operation): Json => ({
  name: one.summary,
  request: {
    method: one.method.toUpperCase(),
    ...((one.roles.length === 0 || one.keyIsOptional) && { auth: { type: 'noauth' } }),
    header: headersOf(one),
    url: urlOf(one),
    ...(one.body && {
      body: {
        mode: 'raw',
        raw: JSON.stringify(exampleOf(one.body), undefined, 2),
        options: { raw: { language: 'json' } },
      },
    }),
  },
});

export const postmanCollection = (operations: readonly Operation[], publicUrl: string): Json => ({
  info: { name: 'Lading', schema: 'https://schema.getpostman.com/json/collection/v2.1.0/collection.json' },
  auth: { type: 'bearer', bearer: [{ key: 'token', value: '{{apiKey}}', type: 'string' }] },
  variable: [
    { key: 'baseUrl', value: publicUrl },
    { key: 'apiKey', value: '' },
  ],
  item: operations.map(itemOf),
});
