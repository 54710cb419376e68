import type { Logger } from 'pino';
import { deriveAttemptKey } from '../job-image/contract/attempt-key.ts';
import { sealToken } from '../job-image/contract/sealed-token.ts';
import { giveDriveToken } from '../sql/drive-tokens.ts';
import type { Pool } from '../sql/pool.ts';

/**
 * Mints a Drive token and leaves it, sealed for the job, where the api finds it. One at a time for each attempt; what
 * fails is logged and asked for again.
 */
export function makeGiveToken(deps: {
  pool: Pool;
  log: Logger;
  masterKey: Buffer;
  mintToken: () => Promise<string>;
}): (attemptId: string, n: number) => void {
  const { pool, log, masterKey, mintToken } = deps;
  const making = new Set<string>();

  async function give(attemptId: string, n: number): Promise<void> {
    making.add(attemptId);
    try {
      const sealed = sealToken(deriveAttemptKey(masterKey, attemptId), { attemptId, n }, await mintToken());
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
