import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { makeTestDatabase, type TestDatabase } from '../test/database.ts';
import { makeTestCommand, TEST_OPERATOR, type TestCommand } from './test-command.ts';

let database: TestDatabase;
let lading: TestCommand;
beforeAll(async () => {
  database = await makeTestDatabase();
  lading = await makeTestCommand(database);
});
afterAll(async () => {
  lading.remove();
  await database.drop();
});
const owner = { role: 'lading_owner' } as const;
const auditor = { role: 'lading_auditor' } as const;

test('a key is made, shown once, rotated and revoked by the owner', async () => {
  const made = (await lading.json(['keys', 'create', 'the shop', '--role', 'shop'], owner)) as Record<string, string>;
  expect(made['key']).toMatch(new RegExp(`^lk_${made['prefix']}_[\\w-]{43}$`));
  const listed = await lading.run(['keys', 'list'], auditor);
  expect(listed.stdout).toContain(`${made['prefix']}  the shop`);
  expect(listed.stdout).toContain(TEST_OPERATOR);
  expect(listed.stdout).not.toContain(made['key']?.slice(12));
  const fresh = (await lading.json(['keys', 'rotate', made['prefix'] ?? ''], owner)) as { prefix: string };
  expect(fresh.prefix).not.toBe(made['prefix']);
  expect(await lading.run(['keys', 'revoke', fresh.prefix], owner)).toMatchObject({ code: 0, stdout: 'revoked\n' });
  expect((await lading.run(['keys', 'revoke', fresh.prefix], owner)).code).toBe(1);
});

test('a key goes into a file of its owner alone, which was not there before; no key is made for one that was', async () => {
  const path = join(lading.folder, 'new-key');
  const create = ['keys', 'create', 'x', '--role', 'auditor', '--key-file', path];
  const { stdout } = await lading.run(create, owner);
  expect(stdout).toMatch(/^[a-z2-7]{8} is in /);
  expect([readFileSync(path, 'utf8'), statSync(path).mode & 0o777]).toEqual([
    expect.stringMatching(/^lk_.{52}\n$/),
    0o600,
  ]);
  const before = (await lading.json(['keys', 'list'], owner)) as object[];
  expect((await lading.run(create, owner)).code).toBe(1);
  expect(await lading.json(['keys', 'list'], owner)).toHaveLength(before.length);
});

test('nobody else makes keys, and a role that does not exist is named', async () => {
  expect((await lading.run(['keys', 'create', 'x', '--role', 'auditor'], auditor)).stderr).toContain(
    'permission denied',
  );
  expect(await lading.run(['keys', 'create', 'x', '--role', 'root'], owner)).toMatchObject({
    code: 64,
    stderr: expect.stringContaining('operator, auditor, shop') as unknown,
  });
  expect((await lading.run(['keys', 'rotate', 'aaaaaaaa'], owner)).stderr).toContain('no valid key');
});
