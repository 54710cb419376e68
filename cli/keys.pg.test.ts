import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { makeTestDatabase, type TestDatabase } from '../test/database.ts';
import { makeTestCommand, TEST_OPERATOR, type TestCommand } from './test-command.ts';

let database: TestDatabase;
let lading: TestCommand;
beforeAll(async () => {
  database = await makeTestDatabase();
  lading = makeTestCommand(database);
});
afterAll(async () => {
  lading.remove();
  await database.drop();
});

test('a key is made, shown once, rotated and revoked by the owner', async () => {
  const made = (await lading.json(['keys', 'create', 'the shop', '--role', 'shop'], 'lading_owner')) as {
    prefix: string;
    key: string;
  };
  expect(made.key).toMatch(new RegExp(`^lk_${made.prefix}_[\\w-]{43}$`));
  const listed = await lading.run(['keys', 'list']);
  expect(listed.stdout).toContain(`${made.prefix}  the shop`);
  expect(listed.stdout).toContain(TEST_OPERATOR);
  expect(listed.stdout).not.toContain(made.key.slice(12));
  const fresh = (await lading.json(['keys', 'rotate', made.prefix], 'lading_owner')) as { prefix: string };
  expect(fresh.prefix).not.toBe(made.prefix);
  expect(await lading.run(['keys', 'revoke', fresh.prefix], 'lading_owner')).toMatchObject({
    code: 0,
    stdout: 'revoked\n',
  });
  expect((await lading.run(['keys', 'revoke', fresh.prefix], 'lading_owner')).code).toBe(1);
});

test('nobody else makes keys, and a role that does not exist is named', async () => {
  expect((await lading.run(['keys', 'create', 'x', '--role', 'auditor'])).stderr).toContain('permission denied');
  expect((await lading.run(['keys', 'create', 'x', '--role', 'root'])).stderr).toContain('operator, auditor, shop');
  expect((await lading.run(['keys', 'rotate', 'aaaaaaaa'], 'lading_owner')).stderr).toContain('no valid key');
});

test('the inbox and the ledger are shown', async () => {
  expect((await lading.run(['payments', 'inbox'])).stdout).toBe('(none)\n');
  expect(await lading.json(['payments', 'ledger'])).toEqual([]);
});
