/** A whole job in this process: real egress on its socket, the sandbox's Drive and provider, an API that verifies. */
import { once } from 'node:events';
import http from 'node:http';
import { mkdtemp, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { Webhook } from 'standardwebhooks';
import { startEgress, tokenFor } from '../egress/test/start.ts';
import { deriveAttemptKey } from './contract/attempt-key.ts';
import { encodeEnvelope, secretsOf, type Envelope } from './contract/envelope.ts';
import { deriveResumeKey } from './contract/sealed-session.ts';
import { parseJobMessage, type JobMessage } from './contract/messages.ts';
import { sealToken } from './contract/sealed-token.ts';
import { finalizePath, finalizeSchema, tokenCallSchema, tokenPath } from './contract/signed-call.ts';
import { runJob } from './job.ts';
import { ATTEMPT_ID, DRIVE_ID, JOB_ID, PROVIDER_TOKEN, startOutside, type Outside } from './test/outside.ts';

const NONCE = 'a-nonce-of-this-test-0123456789';
let outside: Outside;
let egress: Awaited<ReturnType<typeof startEgress>>;
let api: http.Server;
let calls: { url: string | undefined; headers: Record<string, string>; body: string }[];
let folder: string;
let tokenWishes: number;
let fresh: string;
const ATTEMPT_KEY = deriveAttemptKey(Buffer.alloc(32), ATTEMPT_ID);

const hostOf = (url: string): string => new URL(url).host;
beforeEach(async () => {
  calls = [];
  tokenWishes = 0;
  fresh = '';
  folder = await mkdtemp(join(tmpdir(), 'job-'));
  outside = await startOutside();
  api = http.createServer((request, response) => {
    void (async () => {
      const body = Buffer.concat(await request.toArray()).toString();
      calls.push({ url: request.url, headers: request.headers as Record<string, string>, body });
      const wish = request.url === tokenPath(ATTEMPT_ID) ? tokenCallSchema.parse(JSON.parse(body)) : undefined;
      if (wish !== undefined) {
        tokenWishes += 1;
        if (tokenWishes === 1) response.writeHead(503, { 'retry-after': '0' }).end();
        else {
          fresh = await outside.freshToken();
          const sealed = sealToken(ATTEMPT_KEY, { attemptId: ATTEMPT_ID, n: wish.n }, fresh);
          response.writeHead(200).end(JSON.stringify({ sealed: sealed.toString('base64') }));
        }
        return;
      }
      response.writeHead(202).end();
    })();
  });
  api.listen(0, '127.0.0.1');
  await once(api, 'listening');
  const hosts = [hostOf(outside.googleUrl), hostOf(outside.providerUrl)];
  egress = await startEgress({
    allow: hosts,
    hostMap: Object.fromEntries(hosts.map((host) => [host, host.replace('localhost', '127.0.0.1')])),
    apiUrl: `http://127.0.0.1:${(api.address() as AddressInfo).port}`,
  });
});
afterEach(async () => {
  await egress.stop();
  await outside.stop();
  api.closeAllConnections();
  api.close();
  await rm(folder, { recursive: true });
});

const envelopeOf = (course: string, change: Partial<Envelope> = {}): Envelope => ({
  jobId: JOB_ID,
  attemptId: ATTEMPT_ID,
  attemptNumber: 1,
  deadlineAt: '2030-01-01T00:00:00Z',
  course: { id: course, title: course },
  source: {
    provider: 'manifest',
    manifestUrl: `${outside.providerUrl}/courses/${course}/manifest.json`,
    bearer: PROVIDER_TOKEN,
  },
  drive: { apiUrl: outside.googleUrl, accessToken: outside.token, parentFolderId: DRIVE_ID, folderName: 'Order 1' },
  egressToken: tokenFor(ATTEMPT_ID),
  attemptKey: ATTEMPT_KEY,
  resumeKey: deriveResumeKey(Buffer.alloc(32), JOB_ID),
  extraCaPem: outside.caPem,
  parallelFiles: 2,
  ...change,
});

async function run(envelope: Envelope): Promise<{ exit: number; said: (JobMessage | undefined)[]; printed: string }> {
  const stdin = new PassThrough();
  const stdout = new PassThrough();
  stdin.write(encodeEnvelope(envelope, NONCE));
  const exit = await runJob({
    stdin,
    stdout,
    nonce: NONCE,
    secretsDir: folder,
    egressSocket: egress.socketPath,
    stop: new AbortController().signal,
    crashed: new Promise(() => undefined),
  });
  const printed = String(stdout.read());
  const said = printed.trimEnd().split('\n').map(parseJobMessage);
  for (const secret of secretsOf(envelope)) expect(printed).not.toContain(secret);
  return { exit, said, printed };
}

test('a course goes from the provider to Drive, and what arrived is handed over signed', async () => {
  const envelope = envelopeOf('tiny');
  const { exit, said } = await run(envelope);
  expect(said.at(-1)).toMatchObject({ lading: 'end', reason: 'ok' });
  expect(exit).toBe(0);
  expect(said[0]).toEqual({ lading: 'accepted', attemptId: ATTEMPT_ID });
  expect(said.at(-2)).toMatchObject({ lading: 'progress', filesDone: 3, filesTotal: 3 });
  expect(calls.map(({ url }) => url)).toEqual([finalizePath(ATTEMPT_ID)]);
  const { body, headers } = calls[0] as (typeof calls)[0];
  const handed = finalizeSchema.parse(new Webhook(envelope.attemptKey).verify(body, headers));
  const inDrive = await outside.driveFiles();
  expect(handed.folderId).toBe(inDrive.find(({ path }) => path === 'Order 1')?.id);
  expect(new Map(handed.files.map(({ path, sha256, driveId }) => [`Order 1/${path}`, [sha256, driveId]]))).toEqual(
    new Map(inDrive.filter(({ size }) => size !== null).map(({ path, sha256, id }) => [path, [sha256, id]])),
  );
  expect(egress.logged.some(({ msg }) => msg === 'refused')).toBe(false);
}, 20_000);

test.each([
  ['always-503', 'provider_unavailable', 69],
  ['protected', 'protected_content', 65],
  ['bad-checksum', 'checksum_mismatch', 75],
])(
  '%s ends with %s and %s, and nothing is handed over',
  async (course, reason, code) => {
    const { exit, said } = await run(envelopeOf(course));
    expect(said.at(-1)).toMatchObject({ lading: 'end', reason });
    expect(exit).toBe(code);
    expect(calls).toEqual([]);
    const wrong = course === 'bad-checksum' ? ({ path }: { path: string }) => !path.endsWith('/good.txt') : () => true;
    expect((await outside.driveFiles()).filter((file) => file.size !== null && wrong(file))).toEqual([]);
  },
  30_000,
);

test.each([
  [
    'a provider that is not in the allow-list',
    { source: { provider: 'manifest', manifestUrl: 'https://elsewhere.example.org/m.json' } },
    'provider_denied',
  ],
  ['a token that egress does not take', { egressToken: tokenFor(ATTEMPT_ID, { expiresAt: 1 }) }, 'provider_denied'],
] as const)('%s is refused at once', async (_title, change, reason) => {
  const { exit, said } = await run(envelopeOf('tiny', change));
  expect(said.at(-1)).toMatchObject({ reason, detail: expect.stringMatching(/egress answered 40[37]/) });
  expect(exit).toBe(77);
});

test('an authority that nobody vouches for is no provider', async () => {
  const { extraCaPem: _without, ...envelope } = envelopeOf('tiny');
  const { said } = await run(envelope);
  expect(said.at(-1)).toMatchObject({ reason: 'provider_unavailable', detail: expect.stringContaining('CERT') });
}, 20_000);

test('a Drive token that runs out in the middle is replaced by a fresh one, once for all files, and the job goes on', async () => {
  // The first files are under way when Drive forgets every token it gave.
  outside.onDrive('POST', '/upload/drive/v3/files', () => outside.expireTokens());
  const { exit, said, printed } = await run(envelopeOf('tiny', { parallelFiles: 1 }));
  expect(said.at(-1)).toMatchObject({ lading: 'end', reason: 'ok' });
  expect(exit).toBe(0);
  expect(calls.map(({ url }) => url)).toEqual([tokenPath(ATTEMPT_ID), tokenPath(ATTEMPT_ID), finalizePath(ATTEMPT_ID)]);
  expect(calls[1]?.headers['webhook-id']).toBe(calls[0]?.headers['webhook-id']);
  expect((await outside.driveFiles()).filter(({ size }) => size !== null)).toHaveLength(3);
  expect(fresh).not.toBe('');
  expect(printed).not.toContain(fresh);
}, 20_000);

test('a fresh token that Drive refuses too ends the attempt as Drive unavailable', async () => {
  await outside.driveFault({ match: { path: '/drive/v3/files' }, status: 401, reason: 'authError', times: 100 });
  const { said } = await run(envelopeOf('tiny'));
  expect(said.at(-1)).toMatchObject({ reason: 'drive_unavailable', detail: expect.stringContaining('401') });
  expect(tokenWishes).toBe(2);
}, 20_000);

test('content that is refused leaves no folder in Drive, though it was looked for meanwhile', async () => {
  const { said } = await run(envelopeOf('protected'));
  expect(said.at(-1)).toMatchObject({ reason: 'protected_content' });
  expect(await outside.driveFiles()).toEqual([]);
});
