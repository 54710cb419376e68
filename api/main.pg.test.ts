import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { getJson } from '../sandbox/https.ts';
import { ensureTls, type TlsFiles } from '../sandbox/tls.ts';
import { makeTestDatabase, type TestDatabase } from '../test/database.ts';

const MAIN = fileURLToPath(new URL('main.ts', import.meta.url));
const KEY = Buffer.alloc(32, 3).toString('base64');

let database: TestDatabase;
let folder: string;
let env: Record<string, string>;
beforeAll(async () => {
  database = await makeTestDatabase();
  folder = mkdtempSync(join(tmpdir(), 'lading-api-'));
  const secret = (name: string, value: string): string => {
    const path = join(folder, name);
    writeFileSync(path, `${value}\n`, { mode: 0o600 });
    return path;
  };
  env = {
    PORT: '0',
    OPERATIONS_PORT: '0',
    PUBLIC_URL: 'https://api.example',
    DATABASE_URL_FILE: secret('database-url', database.urlFor('lading_api')),
    ORDER_TOKEN_KEY_FILE: secret('order-token-key', KEY),
    MASTER_KEY_FILE: secret('master-key', KEY),
    SEPAY_WEBHOOK_SECRETS_FILE: secret('sepay', 'whsec_the_current_one\nwhsec_the_previous_one'),
    BANK_BIN: '970422',
    BANK_ACCOUNT_NUMBER: '0123456789',
    BANK_ACCOUNT_NAME: 'LADING TEST',
  };
});
afterAll(async () => {
  rmSync(folder, { recursive: true });
  await database.drop();
});

type Line = Record<string, unknown>;
const start = (changes: Record<string, string> = {}, ...args: string[]): ChildProcess =>
  spawn(process.execPath, [MAIN, ...args], { env: { ...env, ...changes }, stdio: ['ignore', 'pipe', 'inherit'] });

async function ended(child: ChildProcess): Promise<{ code: unknown; lines: Line[] }> {
  const lines: Line[] = [];
  if (child.stdout) createInterface(child.stdout).on('line', (line) => lines.push(JSON.parse(line) as Line));
  const [code] = (await once(child, 'close')) as [unknown];
  return { code, lines };
}

/** Runs the API until it listens. Its end, with every line it said, is `end`. */
async function listening(changes: Record<string, string> = {}): Promise<{
  url: URL;
  operationsUrl: URL;
  stop: () => void;
  end: Promise<{ code: unknown; lines: Line[] }>;
}> {
  const child = start(changes);
  const end = ended(child);
  const [url, operationsUrl] = await new Promise<string[]>((resolve, reject) => {
    if (child.stdout)
      createInterface(child.stdout).on('line', (line) => {
        const { msg, url: said, operationsUrl: other } = JSON.parse(line) as Line;
        if (msg === 'listening') resolve([String(said), String(other)]);
      });
    child.once('exit', (code) => reject(new Error(`ended with ${code} before it listened`)));
  });
  return {
    url: new URL(url ?? ''),
    operationsUrl: new URL(operationsUrl ?? ''),
    stop: () => child.kill('SIGTERM'),
    end,
  };
}

describe('--check', () => {
  test('is content with a complete environment', async () => {
    expect(await ended(start({}, '--check'))).toMatchObject({ code: 0, lines: [{ msg: 'ok' }] });
  });

  test('names what is wrong and ends with 78', async () => {
    const { code, lines } = await ended(start({ BANK_BIN: '1', PORT: 'x' }, '--check'));
    expect(code).toBe(78);
    expect(lines).toEqual([expect.objectContaining({ problem: expect.stringMatching(/PORT[^]*BANK_BIN/) })]);
  });
});

test('with a certificate it speaks TLS, and takes a renewed one without a restart', async () => {
  const dirs = [mkdtempSync(join(tmpdir(), 'lading-tls-')), mkdtempSync(join(tmpdir(), 'lading-tls-'))];
  const [first, second] = (await Promise.all(dirs.map((dir) => ensureTls(dir)))) as [TlsFiles, TlsFiles];
  const [certFile, keyFile] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  const put = ({ cert, key }: TlsFiles): void => {
    writeFileSync(certFile, cert);
    writeFileSync(keyFile, key, { mode: 0o600 });
  };
  put(first);
  const { url, stop, end } = await listening({ TLS_CERT_FILE: certFile, TLS_KEY_FILE: keyFile });
  const health = `https://localhost:${url.port}/healthz`;
  const alive = (ca: string): Promise<unknown> => getJson(health, ca).catch(() => 'refused');
  try {
    expect(url.protocol).toBe('https:');
    expect(await alive(first.ca)).toEqual({ alive: true });
    expect(await alive(second.ca)).toBe('refused');
    put(second);
    const giveUpAt = Date.now() + 10_000;
    while ((await alive(second.ca)) === 'refused' && Date.now() < giveUpAt)
      await new Promise((resolve) => setTimeout(resolve, 50));
    expect(await alive(second.ca)).toEqual({ alive: true });
  } finally {
    stop();
    for (const dir of dirs) rmSync(dir, { recursive: true });
  }
  const { code, lines } = await end;
  expect(code).toBe(0);
  expect(lines.map(({ msg }) => msg)).toContain('certificate read anew');
});

describe('SIGTERM', () => {
  test('ends an idle process with 0, connections kept alive or not', async () => {
    const { url, operationsUrl, stop, end } = await listening();
    expect((await fetch(new URL('/readyz', operationsUrl))).status).toBe(200);
    expect((await fetch(new URL('/readyz', url))).status).toBe(404);
    expect((await fetch(new URL('/healthz', url))).status).toBe(200);
    stop();
    expect((await end).code).toBe(0);
  });

  test('lets a running request end', async () => {
    const { url, stop, end } = await listening();
    const socket = connect(Number(url.port), url.hostname);
    let answer = '';
    socket.setEncoding('utf8').on('data', (text: string) => (answer += text));
    // The body is sent when the process is stopping already.
    socket.write(
      'POST /v1/orders HTTP/1.1\r\nHost: api\r\nContent-Type: application/json\r\nContent-Length: 2\r\n' +
        'Idempotency-Key: a-key-that-is-used-once\r\nExpect: 100-continue\r\n\r\n',
    );
    await once(socket, 'data');
    expect(answer).toMatch(/^HTTP\/1.1 100/);
    stop();
    const refused = async (): Promise<boolean> => {
      const other = connect(Number(url.port), url.hostname);
      const taken = await Promise.race([
        once(other, 'connect').then(() => true),
        once(other, 'error').then(() => false),
      ]).catch(() => false);
      other.destroy();
      return !taken;
    };
    while (!(await refused())) await new Promise((resolve) => setTimeout(resolve, 10));
    socket.write('{}');
    const [{ code, lines }] = await Promise.all([end, once(socket, 'close')]);
    expect(answer).toMatch(/HTTP\/1.1 422 /);
    expect(code).toBe(0);
    expect(lines.map(({ msg }) => msg)).toEqual(['listening', 'stopping', 'request']);
  });
});
