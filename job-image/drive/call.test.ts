import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { QUICK, startOutside, type Outside } from '../test/outside.ts';
import { makeDrive } from './call.ts';

const never = new AbortController().signal;
const ASK = { method: 'GET', path: '/drive/v3/files', what: 'a listing' } as const;
let outside: Outside;
beforeEach(async () => (outside = await startOutside()));
afterEach(() => outside.stop());

test('what Drive told one call, to wait, holds for the calls of all files', async () => {
  const { https, googleUrl: apiUrl, token: accessToken } = outside;
  const drive = makeDrive({ https, apiUrl, accessToken, retry: QUICK });
  await outside.driveFault({ match: {}, status: 403, reason: 'rateLimitExceeded', retryAfter: 1, times: 1 });
  expect(await drive.once(ASK, never)).toMatchObject({ again: expect.stringContaining('rateLimitExceeded') });
  const askedMs = performance.now();
  const answers = await Promise.all([drive.once(ASK, never), drive.once(ASK, never)]);
  expect(performance.now() - askedMs).toBeGreaterThan(900);
  for (const answer of answers) expect(answer).toMatchObject({ done: { status: 200 } });
});

test("a server's own trouble holds nobody else back", async () => {
  const { https, googleUrl: apiUrl, token: accessToken } = outside;
  const drive = makeDrive({ https, apiUrl, accessToken, retry: { ...QUICK, baseMs: 60_000, capMs: 60_000 } });
  await outside.driveFault({ match: {}, status: 503, reason: 'backendError', retryAfter: 1, times: 1 });
  expect(await drive.once(ASK, never)).toMatchObject({ retryAfterSeconds: 1 });
  const askedMs = performance.now();
  expect(await drive.once(ASK, never)).toMatchObject({ done: { status: 200 } });
  expect(performance.now() - askedMs).toBeLessThan(900);
});
