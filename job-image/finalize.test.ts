import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Webhook } from 'standardwebhooks';
import { Client } from 'undici';
import { deriveAttemptKey } from './contract/attempt-key.ts';
import { finalizePath, type FinalizeBody } from './contract/signed-call.ts';
import { postFinalize } from './finalize.ts';
import { ATTEMPT_ID, QUICK } from './test/outside.ts';

const KEY = deriveAttemptKey(Buffer.alloc(32, 1), ATTEMPT_ID);
const BODY: FinalizeBody = {
  type: 'attempt.finalized',
  attemptId: ATTEMPT_ID,
  folderId: 'folder',
  files: [{ path: 'bài 1', bytes: 1, sha256: 'a'.repeat(64), driveId: 'id' }],
};
type Seen = { url: string | undefined; headers: Record<string, string>; body: string };
let seen: Seen[];
let answers: (number | 'hang up')[];
let server: http.Server;
let egress: Client;
beforeEach(async () => {
  seen = [];
  server = http.createServer((request, response) => {
    void (async () => {
      const body = Buffer.concat(await request.toArray()).toString();
      seen.push({ url: request.url, headers: request.headers as Record<string, string>, body });
      const status = answers.shift() ?? 202;
      if (status === 'hang up') response.destroy();
      else response.writeHead(status, status === 429 ? { 'retry-after': '900' } : {}).end();
    })();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  egress = new Client(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});
afterEach(async () => {
  await egress.destroy();
  server.closeAllConnections();
  server.close();
});
const AWAY_MS = 100;
const post = (...given: typeof answers): Promise<void> => {
  answers = given;
  return postFinalize(
    { egress, egressToken: 'token', attemptKey: KEY, body: BODY, retry: QUICK, awayMaxMs: AWAY_MS },
    new AbortController().signal,
  );
};

test('the call is signed with the attempt key and shows the egress token', async () => {
  await post(202);
  expect(seen).toHaveLength(1);
  expect(seen[0]).toMatchObject({ url: finalizePath(ATTEMPT_ID), headers: { 'proxy-authorization': 'Bearer token' } });
  expect(new Webhook(KEY).verify(seen[0]?.body ?? '', seen[0]?.headers ?? {})).toEqual(BODY);
});

test('a repeat has the same id and a signature that holds', async () => {
  await post(503, 'hang up', 200);
  expect(seen).toHaveLength(3);
  expect(new Set(seen.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
  for (const { body, headers } of seen) expect(() => new Webhook(KEY).verify(body, headers)).not.toThrow();
});

describe('refusals', () => {
  test.each([
    [401, 'finalize_refused'],
    [409, 'finalize_refused'],
    [410, 'finalize_refused'],
    [404, 'finalize_unavailable'],
    [407, 'finalize_unavailable'],
    [302, 'finalize_unavailable'],
  ])('%s is not asked again: %s', async (status, reason) => {
    await expect(post(status)).rejects.toMatchObject({ reason });
    expect(seen).toHaveLength(1);
  });

  test('an API that answers and fails is asked a few times', async () => {
    await expect(post(500, 500, 500, 500, 200)).rejects.toMatchObject({ reason: 'finalize_unavailable' });
    expect(seen).toHaveLength(QUICK.tries);
  });

  test('an API that is away for longer than its tries would last is waited for', async () => {
    await post(503, 502, 504, 503, 502, 504, 200);
    expect(seen).toHaveLength(7);
  });

  test('an API that stays away ends as ours, at the limit and not before', async () => {
    const startedMs = performance.now();
    await expect(post(...Array.from({ length: 1_000 }, () => 502))).rejects.toMatchObject({
      reason: 'api_unavailable',
    });
    expect(performance.now() - startedMs).toBeGreaterThanOrEqual(AWAY_MS - 2);
  });

  test('patience beyond ours is handed on', async () => {
    await expect(post(429)).rejects.toMatchObject({ reason: 'finalize_unavailable', retryAfterSeconds: 900 });
  });
});
