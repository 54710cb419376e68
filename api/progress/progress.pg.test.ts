import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { deriveAttemptKey } from '../../job-image/contract/attempt-key.ts';
import { deriveResumeKey, openSession, sealSession } from '../../job-image/contract/sealed-session.ts';
import {
  PROGRESS_CALL_MAX_BYTES,
  progressCallId,
  progressPath,
  SESSIONS_MAX,
  type ProgressCall,
} from '../../job-image/contract/signed-call.ts';
import { beginNextAttempt } from '../../sql/queue.ts';
import { beginRunning, recordContainer, settle, type AttemptRow } from '../../sql/attempts.ts';
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
const NOTHING = { keep: [], confirmed: [], forget: [], recall: false };

async function tell(
  attemptId: string,
  n: number,
  told: Partial<ProgressCall>,
  more: { id?: string; key?: string; padding?: number; about?: string } = {},
): Promise<{ status: number; code?: string; sessions?: { path: string; sealed: string }[] }> {
  const id = more.id ?? progressCallId(attemptId, n);
  const call = { type: 'attempt.progress', attemptId: more.about ?? attemptId, n, ...NOTHING, ...told };
  const body = JSON.stringify(call) + ' '.repeat(more.padding ?? 0);
  const { key } = more;
  const response = await postSignedCall(api.url + progressPath(attemptId), { id, attemptId, body, key });
  return { status: response.status, ...((await response.json()) as object) };
}

const URL_OF_SESSION = 'https://drive.example/upload?upload_id=';
const sessionOf = (jobId: string, path: string, name = path) => ({
  path,
  bytes: 1_000,
  sealed: sealSession(deriveResumeKey(MASTER_KEY, jobId), path, {
    url: `${URL_OF_SESSION}${name}`,
    parentId: 'folder',
    sha256: 'a'.repeat(64),
    bytes: 1_000,
  }).toString('base64'),
});
const recalled = async (attempt: AttemptRow, n: number): Promise<Record<string, string | undefined>> => {
  const { sessions = [] } = await tell(attempt.id, n, { recall: true });
  const key = deriveResumeKey(MASTER_KEY, attempt.job_id);
  return Object.fromEntries(
    sessions.map(({ path, sealed }) => [path, openSession(key, path, Buffer.from(sealed, 'base64'))?.url]),
  );
};
const stored = async (jobId: string) =>
  (
    await api.auditor.query<{ path: string; confirmed: string; attempt_id: string }>(
      'SELECT path, confirmed::int, attempt_id FROM upload_sessions WHERE job_id = $1 ORDER BY path',
      [jobId],
    )
  ).rows;
const end = (attempt: AttemptRow, job: 'retries' | 'dies') =>
  settle(
    api.orchestrator,
    { attemptId: attempt.id, epoch: attempt.lease_epoch },
    { outcome: 'killed_outside', detail: '', exitCode: 137, oomKilled: false, endMessage: undefined },
    job === 'retries'
      ? { job, spendsAttempt: false, delaySeconds: 0 }
      : { job, spendsAttempt: true, reason: 'killed_outside', detail: '' },
  );

test('what an attempt kept is told to the next one of its job, and nothing of it stands anywhere in clear', async () => {
  const code = await paid();
  const attempt = await runAttempt(api, code);
  const { job_id: jobId } = attempt;
  expect(await tell(attempt.id, 1, { keep: [sessionOf(jobId, 'a.mp4'), sessionOf(jobId, 'b.mp4')] })).toEqual({
    status: 200,
    sessions: [],
  });
  await tell(attempt.id, 2, { keep: [sessionOf(jobId, 'a.mp4', 'again')], forget: ['b.mp4'] });
  await tell(attempt.id, 3, {
    confirmed: [
      { path: 'a.mp4', bytes: 512 },
      { path: 'unknown', bytes: 1 },
    ],
  });
  expect(await stored(jobId)).toEqual([{ path: 'a.mp4', confirmed: 512, attempt_id: attempt.id }]);
  await end(attempt, 'retries');
  const { rows } = await api.database
    .poolFor('lading_owner')
    .query<{ row: string }>('SELECT upload_sessions::text AS row FROM upload_sessions WHERE job_id = $1', [jobId]);
  expect(rows).toHaveLength(1);
  const sealedAsText = Buffer.from(URL_OF_SESSION).toString('hex');
  expect(rows[0]?.row).not.toContain(sealedAsText);
  await api.orchestrator.query('UPDATE jobs SET next_task_at = now() WHERE id = $1', [jobId]);
  const next = await runAgain(jobId);
  expect(await recalled(next, 1)).toEqual({ 'a.mp4': `${URL_OF_SESSION}again` });
  const logged = JSON.stringify(api.logged);
  expect(logged).toContain('progress kept');
  expect(logged).not.toContain(URL_OF_SESSION);
  expect(logged).not.toContain(sessionOf(jobId, 'a.mp4').sealed.slice(0, 8));
});

async function runAgain(jobId: string): Promise<AttemptRow> {
  const db = api.orchestrator;

  await db.query(`UPDATE jobs SET next_task_at = 'infinity' WHERE state = 'enrolled' AND id <> $1`, [jobId]);
  const begun = await beginNextAttempt(db, {
    id: randomUUID(),
    engine: 'test-engine',
    holder: 'a test',
    leaseSeconds: 30,
    profiles: { standard: { memoryBytes: 1_000_000, deadlineSeconds: 60 } },
    image: 'sha256:test',
  });
  if (begun?.job_id !== jobId) throw new Error('another job was begun');
  const lease = { attemptId: begun.id, epoch: begun.lease_epoch };
  await recordContainer(db, lease, `container-of-${begun.id}`);
  const runs = await beginRunning(db, lease);
  if (runs === undefined) throw new Error('the attempt does not run');
  return runs;
}

test('a repeat changes nothing, and a call that comes late through a repeat undoes nothing', async () => {
  const attempt = await running();
  const keep = [sessionOf(attempt.job_id, 'a.mp4')];
  await tell(attempt.id, 1, { keep });
  await tell(attempt.id, 2, { forget: ['a.mp4'] });
  expect(await tell(attempt.id, 1, { keep })).toMatchObject({ status: 200 });
  expect(await stored(attempt.job_id)).toEqual([]);
  expect(await tell(attempt.id, 1, { keep: [sessionOf(attempt.job_id, 'b.mp4')] })).toMatchObject({
    status: 409,
    code: 'replay',
  });
});

test('of a job no more sessions are kept than can be in flight; the oldest go', async () => {
  const attempt = await running();
  const names = Array.from({ length: SESSIONS_MAX }, (_, i) => `${String(i).padStart(2, '0')}.mp4`);
  await tell(attempt.id, 1, { keep: names.map((name) => sessionOf(attempt.job_id, name)) });
  expect(await stored(attempt.job_id)).toHaveLength(SESSIONS_MAX);
  await tell(attempt.id, 2, { keep: [sessionOf(attempt.job_id, 'z.mp4')] });
  const paths = (await stored(attempt.job_id)).map(({ path }) => path);
  expect(paths).toHaveLength(SESSIONS_MAX);
  expect(paths).toContain('z.mp4');
  const over = [...names, 'z.mp4'].map((name) => sessionOf(attempt.job_id, name));
  expect(await tell(attempt.id, 3, { keep: over })).toMatchObject({ status: 422 });
});

test('it is refused with a foreign key, about another attempt, with another id, too large, twice a file, and too early', async () => {
  const [attempt, other] = [await running(), await running()];
  const keep = [sessionOf(attempt.job_id, 'a.mp4')];
  const early = await createAttempt(api, await paid());
  const key = deriveAttemptKey(MASTER_KEY, other.id);
  expect(await tell(attempt.id, 1, { keep }, { key })).toMatchObject({
    status: 401,
    code: 'attempt_call_not_authentic',
  });
  expect(await tell(attempt.id, 1, { keep }, { about: other.id })).toMatchObject({ status: 422 });
  expect(await tell(attempt.id, 1, { keep }, { id: 'msg_other' })).toMatchObject({ status: 422 });
  expect(await tell(attempt.id, 1, { keep }, { padding: PROGRESS_CALL_MAX_BYTES })).toMatchObject({ status: 413 });
  expect(await tell(attempt.id, 1, { keep: [...keep, ...keep] })).toMatchObject({ status: 422 });
  expect(await tell(early.id, 1, { keep })).toMatchObject({ status: 503, code: 'attempt_not_running_yet' });
  expect(await stored(attempt.job_id)).toEqual([]);
});

test('an attempt that was settled keeps and hears nothing, and a job that died leaves nothing behind', async () => {
  const attempt = await running();
  await tell(attempt.id, 1, { keep: [sessionOf(attempt.job_id, 'a.mp4')] });
  expect(await stored(attempt.job_id)).toHaveLength(1);
  await end(attempt, 'dies');
  expect(await stored(attempt.job_id)).toEqual([]);
  const keep = [sessionOf(attempt.job_id, 'b.mp4')];
  expect(await tell(attempt.id, 2, { keep, recall: true })).toMatchObject({ status: 409, code: 'attempt_not_current' });
  expect(await stored(attempt.job_id)).toEqual([]);
});

test.each([
  ['lading_orchestrator', 'SELECT path FROM upload_sessions'],
  ['lading_orchestrator', 'DELETE FROM upload_sessions'],
  ['lading_auditor', 'SELECT sealed FROM upload_sessions'],
  ['lading_auditor', 'DELETE FROM upload_sessions'],
  ['lading_api', 'TRUNCATE upload_sessions'],
] as const)('%s has no right to: %s', async (role, statement) => {
  await expect(api.database.poolFor(role).query(statement)).rejects.toMatchObject({ code: '42501' });
});
