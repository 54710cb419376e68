import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, expect, test } from '@jest/globals';

const MAIN = new URL('main.ts', import.meta.url).pathname;
let folder: string;
const started: ChildProcess[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'egress-'));
});
afterEach(async () => {
  for (const child of started.splice(0)) child.kill('SIGKILL');
  await rm(folder, { recursive: true, force: true });
});

const environment = (): Record<string, string> => ({
  EGRESS_DIR: folder,
  EGRESS_ALLOW: '{"standard":["www.googleapis.com:443","*.example.org"]}',
  EGRESS_HOST_MAP: '{"localhost:4443":"127.0.0.1:4443"}',
  EGRESS_KEY: Buffer.alloc(32).toString('base64'),
  EGRESS_API_URL: 'http://127.0.0.1:3000',
});
async function check(env: Record<string, string>) {
  const child = spawn(process.execPath, [MAIN, '--check'], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const texts = Promise.all([child.stdout, child.stderr].map((stream) => stream.setEncoding('utf8').toArray()));
  const [code] = (await once(child, 'exit')) as [number];
  return { code, text: (await texts).flat().join('') };
}

test('--check accepts a good environment', async () => {
  expect(await check(environment())).toEqual({ code: 0, text: 'ok\n' });
});

test.each([
  ['EGRESS_ALLOW', '{"standard":["*.com"]}'],
  ['EGRESS_ALLOW', 'standard'],
  ['EGRESS_HOST_MAP', '{"a":"b:x"}'],
  ['EGRESS_HOST_MAP', '{"a/b":"c:1"}'],
  ['EGRESS_KEY', Buffer.alloc(31).toString('base64')],
  ['EGRESS_API_URL', 'ftp://x'],
  ['EGRESS_DIR', `/${'x'.repeat(120)}`],
])('--check names %s=%s', async (name, value) => {
  const { code, text } = await check({ ...environment(), [name]: value });
  expect(code).toBe(78);
  expect(text).toContain(name);
});

function start() {
  const child = spawn(process.execPath, [MAIN], { env: environment(), stdio: ['ignore', 'pipe', 'inherit'] });
  started.push(child);
  return child;
}

test('says where it listens, answers /healthz and /metrics, refuses a second of its kind, and stops on SIGTERM', async () => {
  const first = start();
  const lines = createInterface(first.stdout)[Symbol.asyncIterator]();
  const listening = JSON.parse(String((await lines.next()).value)) as { msg: string; url: string; socket: string };
  expect(listening).toMatchObject({ msg: 'listening', socket: join(folder, 'egress.sock') });
  expect(await (await fetch(`${listening.url}/healthz`)).text()).toBe('ok\n');
  expect(await (await fetch(`${listening.url}/metrics`)).text()).toContain('egress_tunnels_open 0');

  const second = start();
  const refused = once(second, 'exit');
  expect((await second.stdout.setEncoding('utf8').toArray()).join('')).toContain('another process answers on');
  expect(await refused).toEqual([69, null]);

  const exited = once(first, 'exit');
  first.kill('SIGTERM');
  expect(await exited).toEqual([0, null]);
}, 20_000);
