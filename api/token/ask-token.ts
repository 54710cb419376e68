import { askForDriveToken } from '../../sql/drive-tokens.ts';
import { inTransaction, type Pool } from '../../sql/pool.ts';
import { mustRun, takeSignedCall } from '../current-attempt.ts';
import { Problem } from '../problem.ts';
import type { SignedCall } from '../read-signed-call.ts';

/** The n-th token, sealed for the job; undefined while nobody has given it. Throws Problem. */
export const askToken = (pool: Pool, call: SignedCall & { n: number }): Promise<Buffer | undefined> =>
  inTransaction(pool, async (db) => {
    // The job asks under one id until it is answered; a repeat is answered from what stands there.
    const { attempt } = await takeSignedCall(db, call);
    mustRun(attempt);
    const asked = await askForDriveToken(db, attempt.id, call.n, call.keyId);
    if (asked === undefined) throw new Problem('request_invalid', 'the token before this one was not given');
    return asked.sealed ?? undefined;
  });
