import type { Logger } from 'pino';
import { deriveAttemptKey } from '../job-image/contract/attempt-key.ts';
import { sealToken } from '../job-image/contract/sealed-token.ts';
import type { MasterKeys } from '../keys/master-keys.ts';
import { giveDriveToken, wantedTokenKey } from '../sql/drive-tokens.ts';
import type { Pool } from '../sql/pool.ts';

/**
 * Mints a Drive token and leaves it, sealed for the job, where the api finds it. One at a time for each attempt; what
 * fails is logged and asked for again.
 */
export function makeGiveToken(deps: {
  pool: Pool;
  log: Logger;
  masterKeys: MasterKeys;
  mintToken: () => Promise<string>;
}): (attemptId: string, n: number) => void {
  const { pool, log, masterKeys, mintToken } = deps;
  const making = new Set<string>();

  async function give(attemptId: string, n: number): Promise<void> {
    making.add(attemptId);
    try {
      // With the key that the job has, which is not the current one when that was rotated since.
      const wanted = await wantedTokenKey(pool, attemptId, n);
      const master = masterKeys.accepted().find(({ id }) => id === wanted) ?? masterKeys.current();
      const sealed = sealToken(deriveAttemptKey(master.key, attemptId), { attemptId, n }, await mintToken());
      if (await giveDriveToken(pool, attemptId, n, sealed)) log.info({ attempt: attemptId, n }, 'drive token given');
    } catch (error) {
      log.warn({ err: error, attempt: attemptId, n }, 'drive token not given, trying again');
    } finally {
      making.delete(attemptId);
    }
  }
  return (attemptId, n) => {
    if (!making.has(attemptId)) void give(attemptId, n);
  };
}
