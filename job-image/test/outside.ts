/** The outside world of a job, for its tests: the sandbox's Drive and provider in this process, over real HTTPS. */
/* oxlint-disable no-restricted-imports -- a test's own set-up; the job itself imports nothing of ours */
import { createSign } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import type { RequestListener } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { Agent, type Dispatcher } from 'undici';
import { ensureServiceAccount, type ServiceAccount } from '../../sandbox/credentials.ts';
import { makeGoogle } from '../../sandbox/google/app.ts';
import { makeProvider } from '../../sandbox/provider/app.ts';
import { openHashCache } from '../../sandbox/provider/hash-cache.ts';
import { serve, type Serving } from '../../sandbox/serve.ts';
import { ensureTls } from '../../sandbox/tls.ts';
import type { RetryLimits } from '../retry.ts';

export const DRIVE_ID = '0ATestDrive';
export const PROVIDER_TOKEN = 'provider-token-of-the-tests';
export const JOB_ID = '0199a3c0-1111-7000-8000-000000000001';
export const ATTEMPT_ID = '0199a3c0-2222-7000-8000-000000000001';
/** As many tries as in production, without its waits. */
export const QUICK: RetryLimits = { tries: 4, baseMs: 1, capMs: 4, retryAfterMaxSeconds: 1 };

export type DriveFile = {
  id: string;
  path: string;
  mimeType: string;
  size: number | null;
  sha256: string | null;
  appProperties: Record<string, string>;
  trashed: boolean;
};
export type Fault = {
  match: { method?: string; path?: string };
  skip?: number;
  times?: number;
  status?: number;
  reason?: string;
  retryAfter?: number;
  afterBytes?: number;
  shortRange?: number;
  flipByte?: number;
  shortBy?: number;
  etag?: string;
  encoding?: 'gzip';
  lengthless?: 'chunked' | 'close';
  redirect?: string;
  latencyMs?: number;
  bytesPerSecond?: number;
};

const encode = (part: object): string => Buffer.from(JSON.stringify(part)).toString('base64url');

async function accessToken(url: string, account: ServiceAccount, dispatcher: Dispatcher): Promise<string> {
  const now = Math.floor(Date.now() / 1_000);
  const claims = {
    iss: account.client_email,
    aud: `${url}/token`,
    scope: 'https://www.googleapis.com/auth/drive',
    iat: now,
    exp: now + 3_600,
  };
  const signed = `${encode({ alg: 'RS256', typ: 'JWT' })}.${encode(claims)}`;
  const assertion = `${signed}.${createSign('sha256').update(signed).sign(account.private_key, 'base64url')}`;
  const { body } = await dispatcher.request({
    origin: url,
    path: '/token',
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({ grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion }).toString(),
  });
  return ((await body.json()) as { access_token: string }).access_token;
}

export type Outside = Awaited<ReturnType<typeof startOutside>>;

/** `coursesDir` holds more courses than the sandbox always has. */
export async function startOutside({ coursesDir }: { coursesDir?: string } = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'job-image-'));
  const [tls, { account }, hashes] = await Promise.all([
    ensureTls(join(folder, 'tls')),
    ensureServiceAccount(join(folder, 'credentials')),
    openHashCache(join(folder, 'hashes.json'), pino({ level: 'silent' })),
  ]);
  const log = pino({ level: 'silent' });
  const servings: Serving[] = [];
  const serveHttps = async (handler: (url: string) => RequestListener): Promise<Serving> => {
    const serving = await serve({ host: '127.0.0.1', port: 0, tls, handler });
    servings.push(serving);
    return serving;
  };
  let awaited: { method: string; path: string; skip: number; act: () => Promise<unknown> }[] = [];
  const google = await serveHttps((publicUrl) => {
    const drive = makeGoogle({ accounts: [account], publicUrl, sharedDriveId: DRIVE_ID, dataDir: undefined, log });
    return (request, response) => {
      const meant = awaited.filter(({ method, path }) => method === request.method && request.url?.startsWith(path));
      const due = meant.filter(({ skip }) => skip === 0);
      for (const each of meant) each.skip -= 1;
      awaited = awaited.filter((each) => !due.includes(each));
      if (due.length > 0) {
        void Promise.all(due.map(({ act }) => act())).then(() => drive(request, response));
        return;
      }
      drive(request, response);
    };
  });
  const provider = await serveHttps(() =>
    makeProvider({
      coursesDir,
      hashes,
      token: PROVIDER_TOKEN,
      slow: { bytes: 3_000_000, bytesPerSecond: 1_000_000_000 },
      log,
    }),
  );
  const https = new Agent({ connect: { ca: tls.ca }, allowH2: false });
  const control = async (
    url: string,
    method: 'GET' | 'POST' | 'DELETE',
    path: string,
    json?: unknown,
  ): Promise<unknown> => {
    const { body } = await https.request({
      origin: url,
      path: `/sandbox/${path}`,
      method,
      ...(json === undefined ? {} : { body: JSON.stringify(json), headers: { 'content-type': 'application/json' } }),
    });
    const text = await body.text();
    return text === '' ? undefined : JSON.parse(text);
  };
  return {
    https,
    caPem: tls.ca,
    googleUrl: google.url,
    providerUrl: provider.url,
    serveHttps,
    token: await accessToken(google.url, account, https),
    /** Takes all faults away, and what `onDrive` waits for. */
    clearFaults: () => {
      awaited = [];
      return Promise.all([google.url, provider.url].map((url) => control(url, 'DELETE', 'faults')));
    },
    driveFault: (fault: Fault) => control(google.url, 'POST', 'faults', fault),
    providerFault: (fault: Fault) => control(provider.url, 'POST', 'faults', fault),
    freshToken: () => accessToken(google.url, account, https),
    expireTokens: () => control(google.url, 'DELETE', 'tokens'),
    /** Does this once, when such a request comes to Drive after `skip` others, before it is answered. */
    onDrive: (method: string, path: string, act: () => Promise<unknown>, skip = 0): void => {
      awaited.push({ method, path, skip, act });
    },
    expireSessions: () => control(google.url, 'DELETE', 'sessions'),
    driveKinds: async () => ((await control(google.url, 'GET', 'requests')) as { kinds: Record<string, number> }).kinds,
    driveReceivedBytes: async () =>
      ((await control(google.url, 'GET', 'requests')) as { receivedBytes: number }).receivedBytes,
    driveFiles: async () => (await control(google.url, 'GET', 'files')) as DriveFile[],
    stop: async () => {
      await https.destroy();
      await Promise.all(servings.map((serving) => serving.stop()));
      await rm(folder, { recursive: true, force: true });
    },
  };
}
