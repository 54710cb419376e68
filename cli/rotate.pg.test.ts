import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { masterKeysOf, oneMasterKey, parseMasterKeys } from '../keys/master-keys.ts';
import { open, seal } from '../keys/sealed.ts';
import { rotateShopSecret, signingSecrets } from '../sql/shop-secrets.ts';
import type { Pool } from '../sql/pool.ts';
import { makeTestDatabase, type TestDatabase } from '../test/database.ts';
import { reseal } from './rotate.ts';
import { makeTestCommand, type TestCommand } from './test-command.ts';

let database: TestDatabase;
let owner: Pool;
let lading: TestCommand;
let dir: string;
const path = (name: string): string => join(dir, name);
const read = (name: string): string => readFileSync(path(name), 'utf8');
const account = (key: string): string =>
  JSON.stringify({ client_email: 'lading@sandbox.example', private_key: `-----BEGIN PRIVATE KEY-----${key}` });

beforeAll(async () => {
  database = await makeTestDatabase();
  owner = database.poolFor('lading_owner');
  lading = await makeTestCommand(database);
  dir = mkdtempSync(join(tmpdir(), 'lading-secrets-'));
  for (const [name, value] of [
    ['sepay_webhook_secrets', 'whsec_the_first_secret'],
    ['master_key', randomBytes(32).toString('base64')],
    ['google_service_account', account('one')],
    ['new_sepay', 'whsec_the_second_secret\n'],
    ['new_account', account('two')],
  ] as const)
    writeFileSync(path(name), value, { mode: 0o600 });
});
afterAll(async () => {
  lading.remove();
  rmSync(dir, { recursive: true });
  await database.drop();
});
const rotate = async (...args: string[]): Promise<string> => {
  const { code, stdout, stderr } = await lading.run(['keys', 'rotate', ...args, '--secrets-dir', dir], {
    role: 'lading_owner',
  });
  if (code !== 0) throw new Error(stderr);
  return stdout;
};
const masterKeys = () => masterKeysOf(() => parseMasterKeys(read('master_key')));

test("SePay's new secret goes in front, the old one gets an end, the file stays the same one", async () => {
  const before = statSync(path('sepay_webhook_secrets'));
  const said = await rotate('sepay', '--new', path('new_sepay'), '--overlap-hours', '2');
  expect(said).not.toContain('whsec_');
  expect(read('sepay_webhook_secrets')).toMatch(
    /^whsec_the_second_secret\nwhsec_the_first_secret until=\d{4}-\d\d-\d\dT[\d:.]+Z\n$/,
  );
  const after = statSync(path('sepay_webhook_secrets'));
  expect([after.ino, after.mode]).toEqual([before.ino, before.mode]);
  await expect(rotate('sepay', '--new', path('new_sepay'))).rejects.toThrow('stands in the file already');
});

test('a new key of Drive is used, the old one kept for the overlap', async () => {
  await rotate('drive', '--new', path('new_account'));
  const [now, before] = JSON.parse(read('google_service_account')) as { private_key: string; until?: string }[];
  expect(now?.private_key).toMatch(/two$/);
  expect(before?.private_key).toMatch(/one$/);
  expect(Date.parse(before?.until ?? '')).toBeGreaterThan(Date.now());
  await expect(rotate('drive', '--new', path('new_account'))).rejects.toThrow('is the one in use');
  await expect(rotate('drive', '--new', path('new_sepay'))).rejects.toThrow();
});

test('a secret for the shop is shown once, stands sealed, and signs beside the one before it', async () => {
  const [first] = (await rotate('shop-webhook')).split('\n');
  const [second] = (await rotate('shop-webhook')).split('\n');
  const sealed = await signingSecrets(owner);
  expect(sealed.map((one) => open(masterKeys(), one.id, { sealed: one.sealed, keyId: one.key_id }))).toEqual([
    second,
    first,
  ]);
  const { rows } = await owner.query<{ all: string }>('SELECT string_agg(s::text, chr(10)) AS all FROM shop_secrets s');
  expect(rows[0]?.all).not.toContain(first);
  await rotate('shop-webhook');
  const third = await signingSecrets(owner);
  expect(third).toHaveLength(2);
  expect(third.map(({ id }) => id)).not.toContain(sealed[1]?.id);
});

test('a new master key seals anew what the old one sealed; the old one stays good for the overlap', async () => {
  const old = parseMasterKeys(read('master_key'))[0];
  expect(await rotate('master')).toMatch(/\d+ sealed anew/);
  const [fresh, before] = parseMasterKeys(read('master_key'));
  expect(before).toMatchObject({ value: old?.value });
  const { rows } = await owner.query('SELECT DISTINCT key_id FROM shop_secrets');
  expect(rows).toEqual([{ key_id: fresh?.id }]);
  for (const one of await signingSecrets(owner))
    expect(open(masterKeys(), one.id, { sealed: one.sealed, keyId: one.key_id })).toMatch(/^whsec_/);
}, 30_000);

test('an interrupted sealing goes on in batches, and one whose key is gone is left and named', async () => {
  const old = parseMasterKeys(read('master_key')).at(-1)?.key ?? Buffer.alloc(0);
  await owner.query('DELETE FROM shop_secrets');
  const secrets = Array.from({ length: 5 }, (_, i) => `whsec_${i}`);
  for (const secret of secrets)
    await rotateShopSecret(owner, { overlapHours: 1, person: 'a test' }, (id) => seal(oneMasterKey(old), id, secret));
  expect(await reseal(owner, dir, 2)).toBe(5);
  expect(await reseal(owner, dir, 2)).toBe(0);
  const [current] = await signingSecrets(owner);
  expect(current && open(masterKeys(), current.id, { sealed: current.sealed, keyId: current.key_id })).toBe('whsec_4');
  const lost = randomUUID();
  await rotateShopSecret(owner, { overlapHours: 1, person: 'a test' }, (id) =>
    seal(oneMasterKey(randomBytes(32)), `${id}${lost}`, 'whsec_lost'),
  );
  await expect(reseal(owner, dir, 2)).rejects.toThrow('not in the file any more');
});

test('ages are shown, and no secret with them', async () => {
  const { stdout, code } = await lading.run(['keys', 'ages', '--secrets-dir', dir, '--json'], { role: 'lading_owner' });
  expect(code).toBe(0);
  expect((JSON.parse(stdout) as { secret: string }[]).map(({ secret }) => secret)).toEqual([
    'sepay',
    'master',
    'drive',
    'shop_webhook',
  ]);
  expect(stdout).not.toMatch(/whsec_|PRIVATE/);
});

test('the endpoint is set over TLS only, unless it is said to be a stand-in', async () => {
  const run = (...args: string[]) => lading.run(['shop', ...args], { role: 'lading_owner' });
  expect((await run('enable')).stderr).toContain('no endpoint is set');
  expect((await run('set', 'http://127.0.0.1:8080/x')).stderr).toContain('must be https');
  expect((await run('set', 'https://user:secret@shop.example/x')).stderr).toContain('password');
  expect((await run('set', 'http://127.0.0.1:8080/x', '--sandbox')).code).toBe(0);
  expect((await run('set', 'https://shop.example/x')).code).toBe(0);
  expect((await run('disable')).code).toBe(0);
  expect(JSON.parse((await run('show')).stdout)).toMatchObject({
    url: 'https://shop.example/x',
    disabled_reason: expect.stringMatching(/^by /),
  });
  expect((await run('enable')).code).toBe(0);
});
