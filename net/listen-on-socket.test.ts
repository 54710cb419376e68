import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { listenOnSocket, SocketTakenError } from './listen-on-socket.ts';

let folder: string;
let path: string;
beforeEach(async () => {
  folder = join(await mkdtemp(join(tmpdir(), 'egress-')), 'run');
  path = join(folder, 'egress.sock');
});
afterEach(() => rm(join(folder, '..'), { recursive: true }));

test('every user of the host may reach the socket, and only its owner may change the folder', async () => {
  const server = createServer();
  await listenOnSocket(server, { folder, path, openTo: 'everyone' });
  expect((await stat(path)).mode & 0o777).toBe(0o666);
  expect((await stat(folder)).mode & 0o777).toBe(0o755);
  server.close();
});

test('or only its owner and group may reach it', async () => {
  const server = createServer();
  await listenOnSocket(server, { folder, path, openTo: 'group' });
  expect((await stat(path)).mode & 0o777).toBe(0o660);
  server.close();
});

test('a living predecessor keeps its socket', async () => {
  const first = createServer();
  await listenOnSocket(first, { folder, path, openTo: 'everyone' });
  await expect(listenOnSocket(createServer(), { folder, path, openTo: 'everyone' })).rejects.toThrow(SocketTakenError);
  expect(first.listening).toBe(true);
  first.close();
});

test('the socket of a predecessor that was killed is replaced', async () => {
  const program = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.stdout.write('up'))`;
  await listenOnSocket(createServer().unref(), { folder, path: join(folder, 'other.sock'), openTo: 'everyone' });
  const killed = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(killed.stdout, 'data');
  killed.kill('SIGKILL');
  await once(killed, 'exit');
  expect((await stat(path)).isSocket()).toBe(true);
  const server = createServer();
  await listenOnSocket(server, { folder, path, openTo: 'everyone' });
  expect(server.listening).toBe(true);
  server.close();
});
