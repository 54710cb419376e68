/** The edges of what the operations take, each just inside and just outside. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { makeCall, type Call } from '../operators/test-keys.ts';
import { startTestApi, type TestApi } from '../test-setup.ts';
import { OPERATIONS } from './operations.ts';

let api: TestApi;
let call: Call;
let key: string;
beforeAll(async () => {
  api = await startTestApi();
  const made = await makeCall(api);
  call = made.call;
  key = made.keys.operator;
});
afterAll(() => api.stop());

const fill = (path: string): string => path.replaceAll(/\{\w+\}/g, '00000000-0000-4000-8000-000000000000');
const withBody = OPERATIONS.filter(({ body }) => body !== undefined);
const namesOf = (operations: typeof OPERATIONS) => operations.map((one) => [`${one.method} ${one.path}`, one] as const);

test.each(namesOf(withBody))('%s reads a body up to its limit and not a byte more', async (_, operation) => {
  const max = operation.bodyMaxBytes ?? 16 * 1024;
  const send = async (bytes: number): Promise<unknown> => {
    const head = '{"pad":"';
    const body = `${head}${'x'.repeat(bytes - head.length - 2)}"}`;
    const path = fill(operation.path).replace('/inbox/00000000-0000-4000-8000-000000000000', '/inbox/payment:1');
    const response = await fetch(api.url + path, {
      method: operation.method.toUpperCase(),
      headers: {
        ...(operation.keyIsOptional ? {} : { Authorization: `Bearer ${key}` }),
        'Content-Type': 'application/json',
      },
      body,
    });
    return ((await response.json()) as { code: string }).code;
  };
  expect([await send(max), await send(max + 1)]).toEqual(['request_invalid', 'body_too_large']);
});

test.each(namesOf(OPERATIONS.filter(({ roles, keyIsOptional }) => roles.length > 0 && !keyIsOptional)))(
  '%s opens to no role but those it names, and to nobody without a key',
  async (_, operation) => {
    const method = operation.method.toUpperCase();
    const body = operation.body && {};
    for (const role of ['operator', 'auditor', 'shop'] as const) {
      const { status } = await call(method, fill(operation.path), body, role);
      expect([role, status === 403]).toEqual([role, !operation.roles.includes(role)]);
    }
    const bare = await fetch(api.url + fill(operation.path), { method });
    expect(bare.status).toBe(401);
    expect(operation.method === 'get' || !operation.roles.includes('auditor')).toBe(true);
  },
);
