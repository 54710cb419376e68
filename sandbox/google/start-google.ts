/** For tests: this sandbox in the test's own process, and a client that knows its certificate. */
import { mkdtemp, rm } from 'node:fs/promises';
import { createSign } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { Agent, fetch, Headers, type RequestInit, type Response } from 'undici';
import { ensureServiceAccount, type ServiceAccount } from '../credentials.ts';
import { serve } from '../serve.ts';
import { ensureTls } from '../tls.ts';
import { makeGoogle } from './app.ts';
import { JWT_BEARER } from './assertion.ts';

export const DRIVE_ID = '0ATestDrive';
export type GoogleForTest = {
  url: string;
  ca: string;
  caPath: string;
  /** The key file of its service account. */
  accountPath: string;
  account: ServiceAccount;
  token: string;
  /** With the bearer token; `path` begins with `/`. */
  call: (path: string, init?: RequestInit) => Promise<Response>;
  json: (path: string, init?: RequestInit) => Promise<{ status: number; body: unknown }>;
  stop: () => Promise<void>;
};

const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

export function signAssertion(account: ServiceAccount, claims: Record<string, unknown>): string {
  const nowSeconds = Math.floor(Date.now() / 1_000);
  const usual = {
    iss: account.client_email,
    aud: 'https://oauth2.googleapis.com/token',
    scope: 'https://www.googleapis.com/auth/drive',
    iat: nowSeconds,
    exp: nowSeconds + 3_600,
  };
  const signed = `${part({ alg: 'RS256', typ: 'JWT' })}.${part({ ...usual, ...claims })}`;
  return `${signed}.${createSign('sha256').update(signed).sign(account.private_key, 'base64url')}`;
}

/** `publicUrl`: under which name clients reach it, if not its address. */
export async function startGoogle(publicUrl?: string): Promise<GoogleForTest> {
  const dir = await mkdtemp(join(tmpdir(), 'sandbox-google-'));
  const tls = await ensureTls(join(dir, 'tls'));
  const { account, path: accountPath } = await ensureServiceAccount(join(dir, 'credentials'));
  const dataDir = join(dir, 'data');
  const log = pino({ level: 'silent' });
  const { url, stop } = await serve({
    host: '127.0.0.1',
    port: 0,
    tls,
    handler: (address) =>
      makeGoogle({ accounts: [account], publicUrl: publicUrl ?? address, sharedDriveId: DRIVE_ID, dataDir, log }),
  });
  const dispatcher = new Agent({ connect: { ca: tls.ca } });
  const send = async (path: string, init: RequestInit = {}): Promise<Response> =>
    await fetch(path.startsWith('/') ? url + path : path, { redirect: 'manual', dispatcher, ...init });
  const form = new URLSearchParams({ grant_type: JWT_BEARER, assertion: signAssertion(account, {}) });
  const granted = (await (await send('/token', { method: 'POST', body: form })).json()) as { access_token: string };
  const call = async (path: string, init: RequestInit = {}): Promise<Response> => {
    const headers = new Headers(init.headers);
    if (!headers.has('Authorization')) headers.set('Authorization', `Bearer ${granted.access_token}`);
    return await send(path, { ...init, headers });
  };
  return {
    url,
    ca: tls.ca,
    caPath: tls.caPath,
    accountPath,
    account,
    token: granted.access_token,
    call,
    json: async (path, init) => {
      const response = await call(path, init);
      const text = await response.text();
      return { status: response.status, body: text === '' ? undefined : (JSON.parse(text) as unknown) };
    },
    stop: async () => {
      await dispatcher.destroy();
      await stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}
