import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { deriveAttemptKey } from '../../job-image/contract/attempt-key.ts';
import { openToken, sealToken } from '../../job-image/contract/sealed-token.ts';
import { TOKEN_CALL_MAX_BYTES, tokenPath, TOKENS_MAX } from '../../job-image/contract/signed-call.ts';
import { renewLeases } from '../../sql/leases.ts';
import { settle, type AttemptRow } from '../../sql/attempts.ts';
import { askForDriveToken, giveDriveToken } from '../../sql/drive-tokens.ts';
import { pay } from '../payments/test-webhook.ts';
import { postSignedCall } from '../test-signed-call.ts';
import { createAttempt, MASTER_KEY, placeTestOrder, runAttempt, startTestApi, type TestApi } from '../test-setup.ts';

let api: TestApi;
beforeAll(async () => (api = await startTestApi()));
afterAll(() => api.stop());

const paid = async (): Promise<string> => {
  const { code } = await placeTestOrder(api);
  await pay(api, code);
  return code;
};
const running = async (): Promise<AttemptRow> => runAttempt(api, await paid());

async function ask(
  attemptId: string,
  n: number,
  more: { id?: string; key?: string; about?: string; padding?: number } = {},
): Promise<{ status: number; code?: string; sealed?: string; retryAfter: string | null }> {
  const id = more.id ?? `msg_${attemptId}_token_${n}`;
  const body =
    JSON.stringify({ type: 'attempt.token', attemptId: more.about ?? attemptId, n }) + ' '.repeat(more.padding ?? 0);
  const { key } = more;
  const response = await postSignedCall(api.url + tokenPath(attemptId), { id, attemptId, body, key });
  const answer = (await response.json()) as { code?: string; sealed?: string };
  return { status: response.status, ...answer, retryAfter: response.headers.get('retry-after') };
}
const give = (attemptId: string, n: number): Promise<boolean> => {
  const key = deriveAttemptKey(MASTER_KEY, attemptId);
  return giveDriveToken(api.orchestrator, attemptId, n, sealToken(key, { attemptId, n }, `ya29.secret-${n}`));
};
const wanted = async (attempt: AttemptRow): Promise<number | null | undefined> =>
  (await renewLeases(api.orchestrator, attempt.lease_holder, 30)).find(({ id }) => id === attempt.id)?.token_wanted;

test('a token is waited for until its orchestrator gives it, sealed; a repeat gets the same', async () => {
  const attempt = await running();
  expect(await wanted(attempt)).toBeNull();
  expect(await ask(attempt.id, 1)).toMatchObject({ status: 503, code: 'token_not_ready', retryAfter: '1' });
  expect(await wanted(attempt)).toBe(1);
  expect(await give(attempt.id, 1)).toBe(true);
  expect(await give(attempt.id, 1)).toBe(false);
  expect(await wanted(attempt)).toBeNull();
  const [first, again] = [await ask(attempt.id, 1), await ask(attempt.id, 1)];
  expect(first.status).toBe(200);
  expect(again.sealed).toBe(first.sealed);
  const name = { attemptId: attempt.id, n: 1 };
  const key = deriveAttemptKey(MASTER_KEY, attempt.id);
  expect(openToken(key, name, Buffer.from(first.sealed ?? '', 'base64'))).toBe('ya29.secret-1');
  expect(JSON.stringify(api.logged)).not.toContain(first.sealed);
  const { rows } = await api.auditor.query(
    'SELECT n, sealed_at IS NOT NULL AS given FROM drive_tokens WHERE attempt_id = $1',
    [attempt.id],
  );
  expect(rows).toEqual([{ n: 1, given: true }]);
});

test('the next one is asked for after the one before was given, and there are only so many', async () => {
  const attempt = await running();
  expect(await ask(attempt.id, 2)).toMatchObject({ status: 422, code: 'request_invalid' });
  for (let n = 1; n <= TOKENS_MAX; n += 1) {
    expect(await askForDriveToken(api.pool, attempt.id, n)).toEqual({ sealed: null });
    expect(await give(attempt.id, n)).toBe(true);
  }
  expect(await ask(attempt.id, TOKENS_MAX + 1)).toMatchObject({ status: 422, code: 'request_invalid' });
  await expect(askForDriveToken(api.pool, attempt.id, TOKENS_MAX + 1)).rejects.toMatchObject({ code: '23514' });
});

test('it is refused with a foreign key, for another attempt, with a used id, too large, and before the attempt runs', async () => {
  const [attempt, other] = [await running(), await running()];
  const early = await createAttempt(api, await paid());
  const key = deriveAttemptKey(MASTER_KEY, randomUUID());
  expect(await ask(attempt.id, 1, { key })).toMatchObject({ status: 401, code: 'attempt_call_not_authentic' });
  expect(await ask(attempt.id, 1, { about: other.id })).toMatchObject({ status: 422, code: 'request_invalid' });
  expect(await ask(attempt.id, 1, { padding: TOKEN_CALL_MAX_BYTES })).toMatchObject({ status: 413 });
  await ask(other.id, 1, { id: 'msg_used' });
  expect(await ask(attempt.id, 1, { id: 'msg_used' })).toMatchObject({ status: 409, code: 'replay' });
  expect(await ask(early.id, 1)).toMatchObject({ status: 503, code: 'attempt_not_running_yet' });
  const { rows } = await api.auditor.query('SELECT FROM drive_tokens WHERE attempt_id = ANY ($1)', [
    [attempt.id, early.id],
  ]);
  expect(rows).toEqual([]);
});

test('an attempt that has ended gets none, and what it was given is forgotten', async () => {
  const attempt = await running();
  await ask(attempt.id, 1);
  await give(attempt.id, 1);
  await settle(
    api.orchestrator,
    { attemptId: attempt.id, epoch: attempt.lease_epoch },
    { outcome: 'services_lost', detail: '', exitCode: 71, oomKilled: false, endMessage: undefined },
    { job: 'retries', spendsAttempt: false, delaySeconds: 3_600 },
  );
  expect(await ask(attempt.id, 1)).toMatchObject({ status: 409, code: 'attempt_not_current' });
  const { rows } = await api.auditor.query('SELECT n FROM drive_tokens WHERE attempt_id = $1', [attempt.id]);
  expect(rows).toEqual([]);
  const spent = await api.auditor.query('SELECT attempts_spent, losses FROM jobs WHERE id = $1', [attempt.job_id]);
  expect(spent.rows).toEqual([{ attempts_spent: 0, losses: 1 }]);
});

test.each([
  ['lading_api', 'UPDATE drive_tokens SET sealed = NULL'],
  ['lading_api', 'DELETE FROM drive_tokens'],
  ['lading_orchestrator', 'SELECT sealed FROM drive_tokens'],
  ['lading_auditor', 'SELECT sealed FROM drive_tokens'],
] as const)('%s has no right to: %s', async (role, statement) => {
  await expect(api.database.poolFor(role).query(statement)).rejects.toMatchObject({ code: '42501' });
});
