import { randomUUID } from 'node:crypto';
import { createKey, findKey, type KeyRole } from '../sql/api-keys.ts';
import type { Act } from '../sql/operating.ts';
import type { Pool } from '../sql/pool.ts';

/** Who acts in a test: a key that is made for it. */
export async function testAct(owner: Pool, role: KeyRole = 'operator', name = `an ${role}`): Promise<Act> {
  const { prefix } = await createKey(owner, { name, role, createdBy: 'a test', days: 1 });
  const key = await findKey(owner, prefix);
  if (!key) throw new Error('the key that was made is not there');
  return { keyId: key.id, requestId: randomUUID() };
}
