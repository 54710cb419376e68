import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { deriveAttemptKey } from '../../job-image/contract/attempt-key.ts';
import { FINALIZE_MAX_BYTES, finalizePath } from '../../job-image/contract/signed-call.ts';
import { settle, type AttemptRow } from '../../sql/attempts.ts';
import { takeDelivery } from '../../sql/steps.ts';
import { pay } from '../payments/test-webhook.ts';
import { postSignedCall } from '../test-signed-call.ts';
import {
  countRows,
  MASTER_KEY,
  placeTestOrder,
  createAttempt,
  runAttempt,
  startTestApi,
  type OrderAnswer,
  type TestApi,
} from '../test-setup.ts';

let api: TestApi;
beforeAll(async () => (api = await startTestApi()));
afterAll(() => api.stop());

async function paidAttempt(): Promise<{ order: OrderAnswer; attempt: AttemptRow }> {
  const order = await placeTestOrder(api);
  await pay(api, order.code);
  return { order, attempt: await runAttempt(api, order.code) };
}

const file = (path: string) => ({ path, bytes: 7, sha256: 'a'.repeat(64), driveId: `drive-${path}` });
const manifestOf = (attemptId: string, paths = ['a.html', 'video/b.mp4']): string =>
  JSON.stringify({ type: 'attempt.finalized', attemptId, folderId: 'folder-1', files: paths.map(file) });

type Call = { id?: string; key?: string; at?: Date; to?: string };
const send = (attemptId: string, body: string, { id = `msg_${randomUUID()}`, to, ...more }: Call = {}) =>
  postSignedCall(api.url + finalizePath(to ?? attemptId), { id, attemptId, body, ...more });
const codeOf = async (response: Response): Promise<unknown> => {
  const { status, code } = (await response.json()) as { status: number; code: string };
  expect(response.status).toBe(status);
  return `${status} ${code}`;
};

describe('an accepted finalize', () => {
  test('stores the files, moves the job and queues the grant; a repeat changes nothing', async () => {
    const { order, attempt } = await paidAttempt();
    const before = await countRows(api);
    const id = `msg_${randomUUID()}`;
    const body = manifestOf(attempt.id);
    const first = await send(attempt.id, body, { id });
    expect([first.status, await first.text()]).toEqual([200, '{"accepted":true}']);
    const after = await countRows(api);
    expect(after).toEqual({
      ...before,
      files: (before['files'] ?? 0) + 2,
      signed_calls_seen: (before['signed_calls_seen'] ?? 0) + 1,
      tasks: (before['tasks'] ?? 0) + 1,
    });
    const shown = (await (await fetch(`${api.url}/v1/orders/${order.token}`)).json()) as object;
    expect(shown).toMatchObject({ status: 'delivering', attempts: 1 });
    expect(shown).not.toHaveProperty('folderUrl');

    const later = new Date(Date.now() + 60_000); // a retry is signed anew
    const again = await Promise.all(Array.from({ length: 5 }, () => send(attempt.id, body, { id, at: later })));
    expect(again.map((response) => response.status)).toEqual([200, 200, 200, 200, 200]);
    expect(await countRows(api)).toEqual(after);
  });

  test('is taken once when ten different calls come at the same moment', async () => {
    const { attempt } = await paidAttempt();
    const responses = await Promise.all(Array.from({ length: 10 }, () => send(attempt.id, manifestOf(attempt.id))));
    expect(responses.map((response) => response.status).toSorted((a, b) => a - b)).toEqual([
      200,
      ...Array(9).fill(409),
    ]);
    const { rows } = await api.auditor.query('SELECT path FROM files WHERE attempt_id = $1 ORDER BY path', [
      attempt.id,
    ]);
    expect(rows).toEqual([{ path: 'a.html' }, { path: 'video/b.mp4' }]);
  });

  test('and the end of its container at the same moment do not block one another', async () => {
    const pairs = await Promise.all(Array.from({ length: 8 }, () => paidAttempt()));
    const outcome = { outcome: 'succeeded', detail: '', exitCode: 0, oomKilled: false, endMessage: undefined };
    const results = await Promise.all(
      pairs.flatMap(({ attempt }) => [
        send(attempt.id, manifestOf(attempt.id)).then((response) => response.status),
        settle(api.orchestrator, { attemptId: attempt.id, epoch: attempt.lease_epoch }, outcome, {
          job: 'retries',
          spendsAttempt: true,
          delaySeconds: 3_600,
        }).then((settled) => settled?.state),
      ]),
    );
    for (const [at, { attempt }] of pairs.entries()) {
      expect(results[2 * at + 1]).toBe('settled');
      const { rows } = await api.auditor.query<{ state: string; files: number }>(
        'SELECT state, (SELECT count(*)::int FROM files f WHERE f.job_id = j.id) AS files FROM jobs j WHERE id = $1',
        [attempt.job_id],
      );
      expect(rows[0]).toEqual(
        results[2 * at] === 200 ? { state: 'delivering', files: 2 } : { state: 'enrolled', files: 0 },
      );
    }
  });

  test('takes the largest manifest that is allowed', async () => {
    const { attempt } = await paidAttempt();
    const paths = Array.from(
      { length: 10_000 },
      (_, n) => `folder/${String(n).padStart(5, '0')}-${'x'.repeat(100)}.html`,
    );
    expect((await send(attempt.id, manifestOf(attempt.id, paths))).status).toBe(200);
    const { rows } = await api.auditor.query('SELECT count(*)::int AS n FROM files WHERE attempt_id = $1', [
      attempt.id,
    ]);
    expect(rows).toEqual([{ n: 10_000 }]);
  });

  test('shows the folder when the delivery is complete', async () => {
    const { order, attempt } = await paidAttempt();
    await send(attempt.id, manifestOf(attempt.id));
    await takeDelivery(api.orchestrator, attempt.job_id, 30);
    await api.database
      .poolFor('lading_owner')
      .query(`UPDATE jobs SET state = 'completed' WHERE id = $1`, [attempt.job_id]);
    const shown = await (await fetch(`${api.url}/v1/orders/${order.token}`)).json();
    expect(shown).toMatchObject({ status: 'completed', folderUrl: 'https://drive.google.com/drive/folders/folder-1' });
  });
});

describe('a finalize is refused, and nothing written,', () => {
  let attempt: AttemptRow;
  let before: Record<string, number>;
  beforeAll(async () => {
    ({ attempt } = await paidAttempt());
    before = await countRows(api);
  });
  const refusedWith = async (response: Response, expected: string): Promise<void> => {
    expect(await codeOf(response)).toBe(expected);
    expect(await countRows(api)).toEqual(before);
  };

  test('with the key of another attempt', async () => {
    const key = deriveAttemptKey(MASTER_KEY, randomUUID());
    await refusedWith(await send(attempt.id, manifestOf(attempt.id), { key }), '401 attempt_call_not_authentic');
  });

  test('for an attempt that is not there, even with its key, in the same words', async () => {
    const unknown = randomUUID();
    const wrongKey = await send(attempt.id, manifestOf(attempt.id), { key: deriveAttemptKey(MASTER_KEY, unknown) });
    const noAttempt = await send(unknown, manifestOf(unknown));
    expect([noAttempt.status, await noAttempt.text()]).toEqual([wrongKey.status, await wrongKey.text()]);
    expect(await countRows(api)).toEqual(before);
  });

  test.each([-310_000, 310_000])('when it was signed %d ms from now', async (ms) => {
    const at = new Date(Date.now() + ms);
    await refusedWith(await send(attempt.id, manifestOf(attempt.id), { at }), '401 attempt_call_not_authentic');
  });

  test('without signature headers', async () => {
    const response = await fetch(`${api.url}${finalizePath(attempt.id)}`, {
      method: 'POST',
      body: manifestOf(attempt.id),
    });
    await refusedWith(response, '401 attempt_call_not_authentic');
  });

  test('sent to the path of another attempt', async () => {
    const { attempt: other } = await paidAttempt();
    before = await countRows(api);
    const response = await send(attempt.id, manifestOf(attempt.id), { to: other.id });
    await refusedWith(response, '401 attempt_call_not_authentic');
  });

  test('when it speaks of another attempt', async () => {
    await refusedWith(await send(attempt.id, manifestOf(randomUUID())), '422 manifest_invalid');
  });

  test('when it is not JSON', async () => {
    await refusedWith(await send(attempt.id, '{"type"'), '400 json_invalid');
  });

  test('with a path that stands there twice', async () => {
    await refusedWith(await send(attempt.id, manifestOf(attempt.id, ['a', 'b', 'a'])), '422 manifest_invalid');
  });

  test('when it is too large', async () => {
    const body = manifestOf(attempt.id) + ' '.repeat(FINALIZE_MAX_BYTES);
    await refusedWith(await send(attempt.id, body), '413 body_too_large');
  });

  test('with an id that was used for another body', async () => {
    const { attempt: other } = await paidAttempt();
    const id = `msg_${randomUUID()}`;
    await send(other.id, manifestOf(other.id), { id });
    before = await countRows(api);
    await refusedWith(await send(other.id, manifestOf(other.id, ['c']), { id }), '409 replay');
    await refusedWith(await send(attempt.id, manifestOf(attempt.id), { id }), '409 replay');
  });

  test('after its attempt was settled, and a refused id is not remembered as taken', async () => {
    const { attempt: stale } = await paidAttempt();
    await settle(
      api.orchestrator,
      { attemptId: stale.id, epoch: stale.lease_epoch },
      { outcome: 'deadline', detail: '', exitCode: 143, oomKilled: false, endMessage: undefined },
      { job: 'retries', spendsAttempt: true, delaySeconds: 0 },
    );
    before = await countRows(api);
    const id = `msg_${randomUUID()}`;
    for (let n = 0; n < 2; n += 1)
      await refusedWith(await send(stale.id, manifestOf(stale.id), { id }), '409 attempt_not_current');
  });

  test('before its attempt is recorded as running, with the advice to come again', async () => {
    const order = await placeTestOrder(api);
    await pay(api, order.code);
    const early = await createAttempt(api, order.code);
    before = await countRows(api);
    const response = await send(early.id, manifestOf(early.id));
    expect(response.headers.get('retry-after')).toBe('1');
    await refusedWith(response, '503 attempt_not_running_yet');
  });
});
