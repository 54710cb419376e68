/**
 * A job that has been taken over and uses what it was given: its attempt's key. Whatever it says is delivered, nobody is
 * let into a folder that is not this job's own, and nothing counts as delivered that Drive does not have.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Webhook } from 'standardwebhooks';
import { z } from 'zod';
import { deriveAttemptKey } from '../../job-image/contract/attempt-key.ts';
import { finalizePath, type FinalizeBody } from '../../job-image/contract/signed-call.ts';
import { getJson } from '../../sandbox/https.ts';
import { attemptsOf, docker, eventually, runningAttempt, startE2e, type AttemptSeen, type E2e } from './world.ts';

let e2e: E2e;
beforeAll(async () => {
  // Eight seconds: long enough to be lied about while it runs.
  e2e = await startE2e({ env: { provider: { SANDBOX_SLOW_BYTES: '524288' } } });
  await e2e.putCourse('slow');
  await e2e.putCourse('tiny');
}, 60_000);
afterAll(() => e2e.stop(), 60_000);

const driveSchema = z.array(
  z.object({
    id: z.string(),
    size: z.number().nullable(),
    appProperties: z.record(z.string(), z.string()),
    permissions: z.array(z.object({ emailAddress: z.string().optional() })),
  }),
);
const drive = async () => driveSchema.parse(await getJson(`${e2e.system.googleUrl}/sandbox/files`, e2e.system.caPem));

/** The folder that a job has made for its order. */
const folderOf = (jobId: string) =>
  eventually('the job has made its folder', 20_000, async () =>
    (await drive()).find((file) => file.size === null && file.appProperties['ladingJob'] === jobId),
  );

/** What anybody who has the attempt's key can send. */
async function finalizeAs(attempt: AttemptSeen, said: Pick<FinalizeBody, 'folderId' | 'files'>): Promise<number> {
  const masterKey = readFileSync(join(e2e.system.runDir, 'secrets', 'master_key'), 'utf8');
  const body = JSON.stringify({ type: 'attempt.finalized', attemptId: attempt.id, ...said });
  const id = `msg_forged_${attempt.id}`;
  const now = new Date();
  const key = deriveAttemptKey(Buffer.from(masterKey, 'base64'), attempt.id);
  const answer = await fetch(`${e2e.system.apiUrl}${finalizePath(attempt.id)}`, {
    method: 'POST',
    body,
    headers: {
      'content-type': 'application/json',
      'webhook-id': id,
      'webhook-timestamp': String(Math.floor(now.getTime() / 1_000)),
      'webhook-signature': new Webhook(key).sign(id, now, body),
    },
  });
  await answer.body?.cancel();
  return answer.status;
}

const FILES = [{ path: 'a.mp4', bytes: 1, sha256: 'a'.repeat(64), driveId: 'nowhere' }];

test("the folder of another customer's order is not opened", async () => {
  const theirs = await e2e.customer.order('tiny', 'victim@shop.example');
  await e2e.customer.pay(theirs);
  await e2e.customer.waitFor(theirs, ['completed'], 60_000);
  const [victim] = await attemptsOf(e2e.pool, theirs.code);
  const folder = await folderOf(victim?.job_id ?? '');

  const order = await e2e.customer.order('slow', 'thief@shop.example');
  await e2e.customer.pay(order);
  const attempt = await runningAttempt(e2e.pool, order.code);
  expect(await finalizeAs(attempt, { folderId: folder.id, files: FILES })).toBe(200);
  const seen = await e2e.customer.waitFor(order, ['failed', 'completed'], 60_000);
  expect([seen.status, seen.failure?.reason]).toEqual(['failed', 'grant_refused']);
  const readers = (await drive()).flatMap((file) => file.permissions.map((one) => one.emailAddress));
  expect(readers).toContain('victim@shop.example');
  expect(readers).not.toContain('thief@shop.example');
  docker('kill', attempt.container_id);
}, 150_000);

test('a manifest that Drive does not bear out is withdrawn, spends the attempt, and the next one delivers', async () => {
  const order = await e2e.customer.order('slow', 'customer@shop.example');
  await e2e.customer.pay(order);
  const attempt = await runningAttempt(e2e.pool, order.code);
  const folder = await folderOf(attempt.job_id);
  expect(await finalizeAs(attempt, { folderId: folder.id, files: FILES })).toBe(200);
  docker('kill', attempt.container_id);
  await e2e.customer.waitFor(order, ['completed'], 120_000);
  const { rows } = await e2e.pool.query(
    'SELECT attempts_spent, (SELECT count(*) FROM files f WHERE f.attempt_id = $2::uuid) AS claimed FROM jobs WHERE id = $1::uuid',
    [attempt.job_id, attempt.id],
  );
  expect(rows).toEqual([{ attempts_spent: 1, claimed: 1 }]);
  const attempts = await attemptsOf(e2e.pool, order.code);
  expect(attempts.map((one) => [one.n, one.outcome])).toEqual([
    [1, 'killed_outside'],
    [2, 'succeeded'],
  ]);
}, 180_000);
