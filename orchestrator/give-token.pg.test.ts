import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { pino } from 'pino';
import { deriveAttemptKey } from '../job-image/contract/attempt-key.ts';
import { openToken } from '../job-image/contract/sealed-token.ts';
import { keyIdOf, masterKeysOf, parseMasterKeys } from '../keys/master-keys.ts';
import { askForDriveToken } from '../sql/drive-tokens.ts';
import { makeTestDatabase, type TestDatabase } from '../test/database.ts';
import { makeWorld, runningTestAttempt, type World } from '../test/orders.ts';
import { reproducibleSecrets } from './envelope-for.ts';
import { makeGiveToken } from './give-token.ts';

const WAIT_LIMIT_MS = 10_000;
const [OLD, NEW] = [randomBytes(32), randomBytes(32)] as const;
const masterKeys = masterKeysOf(() => parseMasterKeys(`${NEW.toString('base64')}\n${OLD.toString('base64')}`));

let database: TestDatabase;
let world: World;
beforeAll(async () => {
  database = await makeTestDatabase();
  world = await makeWorld(database);
});
afterAll(() => database.drop());

/** Asks as the API does, and waits for what the orchestrator leaves there. */
async function sealedFor(attemptId: string, keyId?: string): Promise<Buffer> {
  await askForDriveToken(world.api, attemptId, 1, keyId);
  const log = pino({ level: 'silent' });
  makeGiveToken({ pool: world.orchestrator, log, masterKeys, mintToken: () => Promise.resolve('ya29.fresh') })(
    attemptId,
    1,
  );
  for (const giveUpAt = Date.now() + WAIT_LIMIT_MS; Date.now() < giveUpAt; await sleep(10)) {
    const asked = await askForDriveToken(world.api, attemptId, 1, keyId);
    if (asked?.sealed) return asked.sealed;
  }
  throw new Error('not given');
}

test.each([
  ['of the old master key', OLD, keyIdOf(OLD)],
  ['of the new one', NEW, keyIdOf(NEW)],
  ['that asked before keys were written down', NEW, undefined],
] as const)('during a rotation a job %s gets a token it can open', async (_which, master, keyId) => {
  const { attempt } = await runningTestAttempt(world);
  const sealed = await sealedFor(attempt.id, keyId);
  const name = { attemptId: attempt.id, n: 1 };
  expect(openToken(deriveAttemptKey(master, attempt.id), name, sealed)).toBe('ya29.fresh');
  const other = master === OLD ? NEW : OLD;
  expect(openToken(deriveAttemptKey(other, attempt.id), name, sealed)).toBeUndefined();
});

test('the log of an adopted attempt is masked for the keys of both', async () => {
  const { attempt } = await runningTestAttempt(world);
  const secrets = reproducibleSecrets({ egressKey: randomBytes(32), masterKeys, providerTokens: new Map() }, attempt);
  for (const master of [OLD, NEW]) expect(secrets).toContain(deriveAttemptKey(master, attempt.id));
});
