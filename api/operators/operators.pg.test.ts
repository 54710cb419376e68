import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createKey, listKeys, revokeKey, rotateKey, type KeyRole } from '../../sql/api-keys.ts';
import type { Pool } from '../../sql/pool.ts';
import { pay, postWebhook } from '../payments/test-webhook.ts';
import { placeTestOrder, runAttempt, startTestApi, type TestApi } from '../test-setup.ts';

let api: TestApi;
let owner: Pool;
const keys: Partial<Record<KeyRole, string>> = {};
beforeAll(async () => {
  api = await startTestApi();
  owner = api.database.poolFor('lading_owner');
  for (const role of ['operator', 'auditor', 'shop'] as const)
    keys[role] = (await createKey(owner, { name: `the ${role}`, role, createdBy: 'a test', days: 1 })).key;
});
afterAll(() => api.stop());

type Answer = { status: number; body: Record<string, unknown> };

async function call(path: string, key = keys.operator, body?: unknown): Promise<Answer> {
  const response = await fetch(api.url + path, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { Authorization: `Bearer ${key}`, ...(body !== undefined && { 'Content-Type': 'application/json' }) },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

describe('a key', () => {
  test.each(['', 'x', 'lk_', `lk_${'a'.repeat(8)}_${'A'.repeat(43)}`])('%j opens nothing', async (key) => {
    expect(await call('/v1/jobs', key)).toMatchObject({ status: 401, body: { code: 'key_not_valid' } });
  });

  test('with the prefix of another and a foreign secret opens nothing', async () => {
    const forged = `${keys.operator?.slice(0, 12)}${'A'.repeat(43)}`;
    expect(forged).toHaveLength(keys.operator?.length ?? 0);
    expect((await call('/v1/jobs', forged)).status).toBe(401);
  });

  test('opens what its role may do', async () => {
    expect((await call('/v1/jobs', keys.auditor)).status).toBe(200);
    const decision = { action: 'ignore', reason: 'x' };
    const answers = [
      await call('/v1/jobs', keys.shop),
      await call('/v1/payments/inbox/payment:1/decision', keys.auditor, decision),
    ];
    for (const answer of answers) expect(answer).toMatchObject({ status: 403, body: { code: 'role_not_allowed' } });
  });

  test('is in the database as a digest only, and shows when it was used', async () => {
    await call('/v1/jobs');
    const { rows } = await owner.query<object>('SELECT * FROM api_keys');
    for (const key of Object.values(keys)) expect(JSON.stringify(rows)).not.toContain(key.slice(12));
    const used = (await listKeys(owner)).find(({ name }) => name === 'the operator');
    expect(used?.last_used_at).toBeInstanceOf(Date);
    expect(JSON.stringify(api.logged)).not.toContain(keys.operator?.slice(12));
  });

  test('is rotated with an overlap, and revoked at once', async () => {
    const old = await createKey(owner, { name: 'rotated', role: 'auditor', createdBy: 'a test', days: 30 });
    const fresh = await rotateKey(owner, old.prefix, { createdBy: 'a test', days: 30, overlapHours: 24 });
    for (const key of [old.key, fresh?.key]) expect((await call('/v1/jobs', key)).status).toBe(200);
    await owner.query(
      'UPDATE api_keys SET created_at = now() - interval $$2 d$$, expires_at = now() WHERE prefix = $1',
      [old.prefix],
    );
    expect((await call('/v1/jobs', old.key)).status).toBe(401);
    expect((await call('/v1/jobs', fresh?.key)).status).toBe(200);
    expect(await revokeKey(owner, fresh?.prefix ?? '', 'a test')).toBe(true);
    expect((await call('/v1/jobs', fresh?.key)).status).toBe(401);
    expect(await rotateKey(owner, old.prefix, { createdBy: 'x', days: 1, overlapHours: 1 })).toBeUndefined();
  });

  test('cannot be made or changed by the API itself, nor what it did', async () => {
    for (const forbidden of [
      'DELETE FROM api_keys',
      `UPDATE api_keys SET role = 'operator'`,
      'UPDATE api_keys SET expires_at = now()',
      `INSERT INTO api_keys (prefix, digest, name, role, created_by, expires_at)
       VALUES ('aaaaaaaa', sha256('x'), 'x', 'operator', 'x', now())`,
      'DELETE FROM changes',
      'UPDATE changes SET action = action',
      'DELETE FROM audit_events',
      `INSERT INTO audit_events (subject, subject_id, to_state) VALUES ('job', gen_random_uuid(), 'x')`,
      'SELECT * FROM log_chunks',
      'SELECT * FROM graphile_worker._private_jobs',
      `UPDATE jobs SET dead_reason = 'x'`,
      `UPDATE courses SET price_vnd = 1000`,
      'DELETE FROM orders',
      'UPDATE orders SET amount_vnd = 1',
    ])
      await expect(api.pool.query(forbidden)).rejects.toThrow(/permission denied/);
  });
});

describe('operations', () => {
  test('jobs are paged, each once, and one is shown with its attempts and timeline', async () => {
    const codes: string[] = [];
    for (let i = 0; i < 5; i += 1) {
      const order = await placeTestOrder(api);
      await pay(api, order.code);
      codes.push(order.code);
    }
    const seen: string[] = [];
    let cursor: unknown = '';
    while (typeof cursor === 'string') {
      const page: Answer = await call(`/v1/jobs?limit=2${cursor === '' ? '' : `&cursor=${cursor}`}`);
      seen.push(...(page.body['jobs'] as { orderCode: string }[]).map(({ orderCode }) => orderCode));
      cursor = page.body['nextCursor'];
    }
    expect(seen).toEqual(codes.toReversed());
    await runAttempt(api, codes[0] ?? '');
    const job = await call(`/v1/jobs/${codes[0]}`);
    expect(job).toMatchObject({
      status: 200,
      body: { state: 'attempting', attemptList: [{ n: 1, state: 'running' }] },
    });
    const moves = (job.body['timeline'] as { subject: string; to: string }[]).map(
      ({ subject, to }) => `${subject} ${to}`,
    );
    expect(moves).toEqual([
      'job paid',
      'job enrolling',
      'job enrolled',
      'job attempting',
      'attempt creating',
      'attempt running',
    ]);
    expect((await call('/v1/jobs?state=attempting')).body['jobs']).toHaveLength(1);
    expect((await call('/v1/engines', keys.auditor)).body['engines']).toMatchObject([
      { name: 'test-engine', slotsUsed: 1 },
    ]);
    expect(await call('/v1/jobs/LD9999999999')).toMatchObject({ status: 404, body: { code: 'job_unknown' } });
  });

  test('money in the inbox is assigned, once, and who did it stays on record', async () => {
    const order = await placeTestOrder(api);
    await pay(api, 'khong co ma');
    const [item] = (await call('/v1/payments/inbox')).body['items'] as { id: string; reason: string }[];
    expect(item).toMatchObject({ reason: 'no_code', amountVnd: 499_000 });
    const path = `/v1/payments/inbox/${item?.id}/decision`;
    const decision = { action: 'assign', orderCode: order.code, reason: 'he called' };
    expect(await call(path, keys.operator, { ...decision, orderCode: undefined })).toMatchObject({ status: 422 });
    expect(await call(path, keys.operator, { ...decision, orderCode: 'LD9999999999' })).toMatchObject({ status: 404 });
    const decided = await call(path, keys.operator, decision);
    expect(decided).toMatchObject({ status: 200, body: { decided: true, job: expect.any(String) as unknown } });
    expect(await call(path, keys.operator, decision)).toMatchObject({ status: 409, body: { code: 'decided_before' } });
    const { rows } = await api.auditor.query<object>(
      'SELECT k.name, c.action, c.subject, c.after FROM changes c JOIN api_keys k ON k.id = c.key_id',
    );
    expect(rows).toEqual([
      {
        name: 'the operator',
        action: 'inbox assigned',
        subject: item?.id,
        after: { decision: 'assigned', order: order.code, because: 'he called' },
      },
    ]);
    expect((await call('/v1/changes?limit=1')).body).toMatchObject({
      changes: [{ by: 'the operator', action: 'inbox assigned', subject: item?.id }],
      nextCursor: expect.any(String) as unknown,
    });
    await postWebhook(api, 'not a transaction');
    const [event] = (await call('/v1/payments/inbox')).body['items'] as { id: string; raw: string }[];
    expect(event).toMatchObject({ raw: 'not a transaction' });
    const refund = { action: 'refund-recorded', reason: 'x' };
    expect(await call(`/v1/payments/inbox/${event?.id}/decision`, keys.operator, refund)).toMatchObject({
      status: 409,
      body: { code: 'decision_not_possible' },
    });
    expect((await call('/v1/payments/ledger')).body['totals']).toContainEqual(
      expect.objectContaining({ stands: 'applied' }),
    );
  });

  test('a key has a limit of its own', async () => {
    const { key } = await createKey(owner, { name: 'busy', role: 'auditor', createdBy: 'a test', days: 1 });
    const statuses = new Map<number, number>();
    for (let i = 0; i < 620; i += 1) {
      const { status } = await call('/v1/payments/ledger', key);
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
    expect([...statuses]).toEqual([
      [200, 600],
      [429, 20],
    ]);
    expect((await call('/v1/payments/ledger')).status).toBe(200);
  });
});
