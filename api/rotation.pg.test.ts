import { createHmac, randomBytes, randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { deriveAttemptKey } from '../job-image/contract/attempt-key.ts';
import { tokenPath } from '../job-image/contract/signed-call.ts';
import { keyIdOf } from '../keys/master-keys.ts';
import { formatSecretLines } from '../keys/secret-lines.ts';
import { writeInPlace } from '../keys/write-in-place.ts';
import type { Started } from '../sandbox/process.ts';
import { makeTestDatabase, type TestDatabase } from '../test/database.ts';
import { makeWorld, runningTestAttempt, type World } from '../test/orders.ts';
import { startTestApiProcess } from '../test/api-process.ts';
import { postSignedCall } from './test-signed-call.ts';

const WAIT_LIMIT_MS = 15_000;
const OVERLAP_MS = 4_000;
const [OLD, NEW] = ['whsec_the_old_secret', 'whsec_the_new_secret'] as const;
const [OLD_MASTER, NEW_MASTER] = [randomBytes(32), randomBytes(32)] as const;

let database: TestDatabase;
let world: World;
let api: Started;
let url: string;
let operationsUrl: string;
let dir: string;
const path = (name: string): string => join(dir, name);
beforeAll(async () => {
  database = await makeTestDatabase();
  world = await makeWorld(database);
  dir = mkdtempSync(join(tmpdir(), 'lading-rotation-'));
  api = await startTestApiProcess(database, dir, { sepay: OLD, master: OLD_MASTER });
  url = api.listening['url'] ?? '';
  operationsUrl = api.listening['operationsUrl'] ?? '';
});
afterAll(async () => {
  expect(await api.stop()).toBe(0);
  rmSync(dir, { recursive: true });
  await database.drop();
});

let transfers = 1_000;
async function webhook(secret: string): Promise<number> {
  transfers += 1;
  const body = JSON.stringify({
    id: transfers,
    transactionDate: '2026-01-31 07:00:00',
    accountNumber: '0123456789',
    content: 'no code',
    transferType: 'in',
    transferAmount: 1_000,
  });
  const at = String(Math.floor(Date.now() / 1_000));
  const signature = createHmac('sha256', secret).update(`${at}.${body}`).digest('hex');
  const headers = { 'X-SePay-Timestamp': at, 'X-SePay-Signature': `sha256=${signature}` };
  const answer = await fetch(`${url}/webhooks/sepay`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...headers },
    body,
  });
  await answer.text();
  return answer.status;
}
/** 503 is the answer to an authentic call whose token nobody has made yet. */
async function signedCall(master: Buffer, attemptId: string): Promise<number> {
  const body = JSON.stringify({ type: 'attempt.token', attemptId, n: 1 });
  const call = { id: randomUUID(), attemptId, body, key: deriveAttemptKey(master, attemptId) };
  const answer = await postSignedCall(url + tokenPath(attemptId), call);
  await answer.text();
  return answer.status;
}
async function becomes(status: () => Promise<number>, wanted: number): Promise<void> {
  const giveUpAt = Date.now() + WAIT_LIMIT_MS;
  for (let seen = await status(); seen !== wanted; seen = await status()) {
    if (Date.now() > giveUpAt) throw new Error(`still ${seen}`);
    await sleep(50);
  }
}
const rotated = (fresh: string, old: string, end: Date): string =>
  formatSecretLines([{ value: fresh }, { value: old, until: end }]);

test("SePay's webhooks: old and new are taken during the overlap, the old one is refused after it, nothing restarts", async () => {
  expect([await webhook(OLD), await webhook(NEW)]).toEqual([200, 401]);
  const end = new Date(Date.now() + OVERLAP_MS);
  writeInPlace(path('sepay'), rotated(NEW, OLD, end));
  await becomes(() => webhook(NEW), 200);
  expect(await webhook(OLD)).toBe(200);
  expect(Date.now()).toBeLessThan(end.getTime());
  await becomes(() => webhook(OLD), 401);
  expect(Date.now()).toBeGreaterThanOrEqual(end.getTime());
  expect(await webhook(NEW)).toBe(200);
});

test('signed calls: attempts of the old and of the new master key are both heard, and it is known whose token is wanted', async () => {
  const [before, after] = [(await runningTestAttempt(world)).attempt.id, (await runningTestAttempt(world)).attempt.id];
  expect([await signedCall(OLD_MASTER, before), await signedCall(NEW_MASTER, after)]).toEqual([503, 401]);
  const end = new Date(Date.now() + OVERLAP_MS);
  writeInPlace(path('master'), rotated(NEW_MASTER.toString('base64'), OLD_MASTER.toString('base64'), end));
  await becomes(() => signedCall(NEW_MASTER, after), 503);
  expect(await signedCall(OLD_MASTER, before)).toBe(503);
  const { rows } = await world.orchestrator.query<{ key_id: string }>(
    'SELECT key_id FROM drive_tokens WHERE attempt_id = ANY ($1) ORDER BY attempt_id = $2',
    [[before, after], after],
  );
  expect(rows.map((row) => row.key_id)).toEqual([keyIdOf(OLD_MASTER), keyIdOf(NEW_MASTER)]);
  await becomes(() => signedCall(OLD_MASTER, before), 401);
  expect(Date.now()).toBeGreaterThanOrEqual(end.getTime());
  expect(await signedCall(NEW_MASTER, after)).toBe(503);
});

test('the age of each secret is a metric, and a file that cannot be used changes nothing', async () => {
  const metrics = await (await fetch(new URL('/metrics', operationsUrl))).text();
  expect(metrics).toMatch(/^secret_age_seconds\{secret="sepay"\} \d/m);
  expect(metrics).toMatch(/^secret_age_seconds\{secret="master"\} \d/m);
  writeInPlace(path('sepay'), 'short');
  api.signal('SIGHUP');
  while (!readFileSync(path('api.log'), 'utf8').includes('secret not read')) await sleep(20);
  expect(await webhook(NEW)).toBe(200);
});
