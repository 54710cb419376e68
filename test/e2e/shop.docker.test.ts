/** A whole Lading tells the shop's own system, which verifies every signature, through rotations of both its keys. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { masterKeysOf, parseMasterKeys } from '../../keys/master-keys.ts';
import { seal } from '../../keys/sealed.ts';
import { formatSecretLines, rotateLines, parseSecretLines } from '../../keys/secret-lines.ts';
import { writeInPlace } from '../../keys/write-in-place.ts';
import { startProcess, type Started } from '../../sandbox/process.ts';
import { rotateShopSecret } from '../../sql/shop-secrets.ts';
import { setShopEndpoint } from '../../sql/shop.ts';
import { eventually, startE2e, type E2e } from './world.ts';

type Told = {
  secret: number;
  signatures: number;
  repeat: boolean;
  body: { type: string; data: { orderCode: string } };
};

let shop: Started;
let shopUrl: string;
let e2e: E2e;
let dir: string;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'lading-shop-'));
  shop = await startProcess({
    name: 'sandbox-shop',
    script: fileURLToPath(new URL('../../sandbox/shop/main.ts', import.meta.url)),
    env: {},
    logPath: join(dir, 'shop.log'),
  });
  shopUrl = shop.listening['url'] ?? '';
  e2e = await startE2e({ env: { orchestrator: { SANDBOX_ORIGINS: shopUrl } } });
  await e2e.putCourse('tiny');
}, 60_000);
afterAll(async () => {
  await e2e.stop();
  await shop.stop();
  rmSync(dir, { recursive: true });
}, 60_000);

const newSecret = (): string => `whsec_${randomBytes(32).toString('base64')}`;
const masterPath = (): string => join(e2e.system.runDir, 'secrets', 'master_key');
/** With the newest master key, which processes accept from the moment they have read it. */
async function rotate(secret: string): Promise<void> {
  const lines = parseMasterKeys(readFileSync(masterPath(), 'utf8')).slice(0, 1);
  await rotateShopSecret(e2e.pool, { overlapHours: 1, person: 'a test' }, (id) =>
    seal(
      masterKeysOf(() => lines),
      id,
      secret,
    ),
  );
}
const shopKnows = async (secrets: string[]): Promise<void> => {
  const answer = await fetch(`${shopUrl}/sandbox/secrets`, { method: 'PUT', body: JSON.stringify({ secrets }) });
  expect(answer.status).toBe(204);
};
async function toldOf(code: string): Promise<Told[]> {
  const all = (await (await fetch(`${shopUrl}/sandbox/events`)).json()) as Told[];
  return all.filter(({ secret, body }) => secret >= 0 && body.data.orderCode === code);
}
async function buyAndHear(): Promise<Told[]> {
  const order = await e2e.customer.order('tiny', 'reader@shop.example');
  await e2e.customer.pay(order);
  return eventually(
    'paid and completed are told',
    50_000,
    async () => {
      const told = await toldOf(order.code);
      return told.length >= 2 ? told : undefined;
    },
    () => toldOf(order.code),
  );
}

test('an order is told as it goes, and goes on being told while secret and master key are rotated', async () => {
  const [first, second] = [newSecret(), newSecret()];
  await rotate(first);
  await shopKnows([first]);
  await setShopEndpoint(e2e.pool, `${shopUrl}/webhooks/lading`, 'a test');
  expect(await buyAndHear()).toMatchObject([
    { signatures: 1, repeat: false, body: { type: 'order.paid' } },
    { signatures: 1, repeat: false, body: { type: 'order.completed' } },
  ]);

  const times = { now: new Date(), overlapMs: 3_600_000, settleMs: 0 };
  const fresh = randomBytes(32).toString('base64');
  const before = parseSecretLines(readFileSync(masterPath(), 'utf8'));
  writeInPlace(masterPath(), formatSecretLines(rotateLines(before, fresh, times)));
  await rotate(second);
  // The shop has not been told the new secret yet: the old signature goes along.
  expect(await buyAndHear()).toMatchObject([
    { signatures: 2, secret: 0, body: { type: 'order.paid' } },
    { signatures: 2, secret: 0, body: { type: 'order.completed' } },
  ]);
  await shopKnows([second]);
  expect(await buyAndHear()).toMatchObject([{ secret: 0 }, { secret: 0 }]);
}, 170_000);
