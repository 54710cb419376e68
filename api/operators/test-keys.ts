/** What tests of operations share: a key of each role, and calls with them. */
import { createKey, type KeyRole } from '../../sql/api-keys.ts';
import type { TestApi } from '../test-setup.ts';

export type Answer = { status: number; body: Record<string, unknown> };
export type Call = (method: string, path: string, body?: unknown, role?: KeyRole) => Promise<Answer>;

export async function makeCall(api: TestApi): Promise<{ call: Call; keys: Record<KeyRole, string> }> {
  const owner = api.database.poolFor('lading_owner');
  const keyOf = async (role: KeyRole): Promise<string> =>
    (await createKey(owner, { name: `the ${role}`, role, createdBy: 'a test', days: 1 })).key;
  const keys = { operator: await keyOf('operator'), auditor: await keyOf('auditor'), shop: await keyOf('shop') };
  const call: Call = async (method, path, body, role = 'operator') => {
    const response = await fetch(api.url + path, {
      method,
      headers: {
        Authorization: `Bearer ${keys[role]}`,
        ...(body !== undefined && { 'Content-Type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };
  return { call, keys };
}
