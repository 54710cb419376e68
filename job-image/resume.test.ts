/** What one attempt began, the next one ends: upload sessions over the death of a container. */
import { createHash, randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { deriveResumeKey } from './contract/sealed-session.ts';
import { makeDrive } from './drive/call.ts';
import { NOTHING_EXISTS } from './drive/existing.ts';
import type { JobEnd } from './ending.ts';
import { makeFolderTree } from './drive/folder.ts';
import { makeProgress } from './progress.ts';
import { rangeFrom } from './providers/partial-content.ts';
import { SourceMismatchError, type Provider, type SourceFile } from './providers/provider.ts';
import { makeSessionLedger } from './session-ledger.ts';
import { startJobApi, type JobApi } from './test/job-api.ts';
import { ATTEMPT_ID, DRIVE_ID, JOB_ID, QUICK, startOutside, type Outside } from './test/outside.ts';
import { transferAll } from './transfer.ts';

const MIB = 1024 * 1024;
const CHUNK_BYTES = 8 * MIB;
const MASTER_KEY = Buffer.alloc(32, 'm');
const RESUME_KEY = deriveResumeKey(MASTER_KEY, JOB_ID);
const FIRST = ATTEMPT_ID;
const SECOND = '0199a3c0-2222-7000-8000-000000000002';
const big = randomBytes(20 * MIB + 5);
const sha256 = (content: Buffer): string => createHash('sha256').update(content).digest('hex');

let outside: Outside;
let api: JobApi;
beforeEach(async () => {
  [outside, api] = await Promise.all([startOutside(), startJobApi({ masterKey: MASTER_KEY })]);
});
afterEach(async () => {
  await api.stop();
  await outside.stop();
});

const fileOf = (content: Buffer, path = 'big.bin'): SourceFile => ({
  path,
  bytes: content.length,
  sha256: sha256(content),
  contentType: 'video/mp4',
});

/** Serves `content` under `etag` as a server with ranges does; stops for ever at `stopAt`, and says so. */
function sourceOf(content: Buffer, { etag = '"1"', stopAt = Infinity } = {}) {
  const stopped = Promise.withResolvers<void>();
  const opened: { offset: number; etag: string | undefined }[] = [];
  const provider: Provider = {
    retry: QUICK,
    list: () => Promise.reject(new Error('not asked for')),
    open: (_file, at, signal) => {
      opened.push(at);
      if (at.etag !== undefined && at.etag !== etag) return Promise.reject(new SourceMismatchError('has changed'));
      const body = (async function* () {
        for (let from = at.offset; from < content.length; from += 64_000) {
          if (from >= stopAt) {
            stopped.resolve();
            await new Promise((_resolve, reject) => {
              signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
            });
          }
          yield content.subarray(from, from + 64_000);
        }
      })();
      return Promise.resolve({ done: { body, etag } });
    },
  };
  return { provider, opened, stopped: stopped.promise };
}

/** One attempt over `files`, as a container would make it. */
async function attempt(
  attemptId: string,
  provider: Provider,
  files: SourceFile[],
  kill = new AbortController().signal,
) {
  const refused = new AbortController();
  const signal = AbortSignal.any([kill, refused.signal]);
  const onRefused = (end: JobEnd): void => refused.abort(end);
  const { https, googleUrl, token } = outside;
  const drive = makeDrive({ https, apiUrl: googleUrl, accessToken: token, retry: QUICK });
  const ledger = makeSessionLedger(
    api.doorFor(attemptId),
    { attemptId, resumeKey: RESUME_KEY, retry: QUICK, tellEveryMs: 5, keptWaitMs: 200, awayMaxMs: 20, onRefused },
    signal,
  );
  const kept = await ledger.recall();
  const said: number[] = [];
  const progress = makeProgress(
    { filesTotal: files.length, bytesTotal: files.reduce((sum, file) => sum + file.bytes, 0) },
    ({ bytesDone }) => said.push(bytesDone),
    () => performance.now(),
  );
  const folderAt = makeFolderTree(drive, { jobId: JOB_ID, rootId: DRIVE_ID, known: new Map() }, signal);
  try {
    const delivered = await transferAll(
      {
        provider,
        drive,
        folderAt,
        existing: NOTHING_EXISTS,
        files,
        jobId: JOB_ID,
        parallelFiles: 1,
        progress,
        ledger,
        kept,
      },
      signal,
    );
    progress.say();
    return { delivered, bytesDone: said.at(-1) };
  } finally {
    ledger.close();
  }
}

/** An attempt that ends without a word once its source stands at `stopAt`. */
async function killed(content: Buffer, stopAt: number): Promise<void> {
  const kill = new AbortController();
  const { provider, stopped } = sourceOf(content, { stopAt });
  const running = attempt(FIRST, provider, [fileOf(content)], kill.signal);
  await Promise.race([stopped, running]);
  kill.abort(new Error('killed'));
  await expect(running).rejects.toThrow('killed');
}
const inDrive = async () => (await outside.driveFiles()).filter(({ size }) => size !== null);

describe('a large file whose attempt was killed', () => {
  test('goes on where Drive stands: at most one chunk is sent twice, and the whole is proven', async () => {
    await killed(big, 17 * MIB);
    const opened = api.opened(RESUME_KEY).get('big.bin');
    expect(opened).toMatchObject({ bytes: big.length, sha256: sha256(big), etag: '"1"' });
    const source = sourceOf(big);
    const { delivered, bytesDone } = await attempt(SECOND, source.provider, [fileOf(big)]);
    expect((await inDrive()).map(({ sha256: sum, id }) => [sum, id])).toEqual([[sha256(big), delivered[0]?.driveId]]);
    expect(await outside.driveReceivedBytes()).toBeLessThanOrEqual(big.length + CHUNK_BYTES);
    const [from] = source.opened;
    expect(from?.offset).toBeGreaterThanOrEqual(16 * MIB);
    expect(from?.etag).toBe('"1"');
    expect(bytesDone).toBe(big.length);
    for (const body of api.bodies) expect(body).not.toContain('upload_id');
  });

  test('starts again where its source has changed, and arrives as it is now', async () => {
    await killed(big, 17 * MIB);
    const source = sourceOf(big, { etag: '"2"' });
    const { bytesDone } = await attempt(SECOND, source.provider, [fileOf(big)]);
    expect(source.opened.map(({ offset }) => offset > 0)).toEqual([true, false]);
    expect((await inDrive()).map((file) => file.sha256)).toEqual([sha256(big)]);
    expect(bytesDone).toBe(big.length);
  });

  test('starts again where another content is announced by now', async () => {
    await killed(big, 17 * MIB);
    const other = randomBytes(big.length);
    const source = sourceOf(other, { etag: '"2"' });
    await attempt(SECOND, source.provider, [fileOf(other)]);
    expect(source.opened).toEqual([{ offset: 0, etag: undefined }]);
    expect((await inDrive()).map((file) => file.sha256)).toEqual([sha256(other)]);
  });

  test.each([404, 410])('starts again where its session is gone (%s)', async (status) => {
    await killed(big, 17 * MIB);
    await outside.driveFault({ match: { method: 'PUT' }, status, reason: 'notFound', times: 1 });
    const source = sourceOf(big);
    await attempt(SECOND, source.provider, [fileOf(big)]);
    expect(source.opened).toEqual([{ offset: 0, etag: undefined }]);
    expect((await inDrive()).map((file) => file.sha256)).toEqual([sha256(big)]);
  });

  test('asks again where Drive cannot say how far it is, and goes on', async () => {
    await killed(big, 17 * MIB);
    await outside.driveFault({ match: { method: 'PUT' }, status: 503, times: 2 });
    const source = sourceOf(big);
    await attempt(SECOND, source.provider, [fileOf(big)]);
    expect(source.opened[0]?.offset).toBeGreaterThanOrEqual(16 * MIB);
  });

  test('is not delivered with a first part that was wrong: what Drive has is not what was announced', async () => {
    const wrong = Buffer.from(big);
    wrong[5] = ~(wrong[5] ?? 0) & 255;
    const kill = new AbortController();
    const { provider, stopped } = sourceOf(wrong, { stopAt: 17 * MIB });
    const running = attempt(FIRST, provider, [fileOf(big)], kill.signal);
    await stopped;
    kill.abort(new Error('killed'));
    await expect(running).rejects.toThrow('killed');
    const source = sourceOf(big);
    await attempt(SECOND, source.provider, [fileOf(big)]);
    expect(source.opened.map(({ offset }) => offset > 0)).toEqual([true, false]);
    expect((await inDrive()).map((file) => file.sha256)).toEqual([sha256(big)]);
  });

  test('that was complete, unheard, is not sent again', async () => {
    const { provider } = sourceOf(big);
    await attempt(FIRST, provider, [fileOf(big)]);
    const [kept] = api.told.flatMap(({ keep }) => keep);
    api.sessions.set('big.bin', { sealed: kept?.sealed ?? '', bytes: big.length, confirmed: 0 });
    const source = sourceOf(big);
    const { delivered } = await attempt(SECOND, source.provider, [fileOf(big)]);
    expect(source.opened).toEqual([]);
    expect((await inDrive()).map(({ id }) => id)).toEqual([delivered[0]?.driveId]);
  });
});

test('nothing is sent behind the first chunk before its session is kept', async () => {
  const release = Promise.withResolvers<void>();
  const { provider } = sourceOf(big);
  api.hold(release.promise);
  const running = attempt(FIRST, provider, [fileOf(big)]);
  while ((await outside.driveReceivedBytes()) < CHUNK_BYTES);
  // Time enough for a second chunk to come in, were it sent.
  for (let looks = 0; looks < 20; looks += 1) expect(await outside.driveReceivedBytes()).toBe(CHUNK_BYTES);
  expect(api.sessions.size).toBe(0);
  release.resolve();
  await running;
  expect((await inDrive()).map((file) => file.sha256)).toEqual([sha256(big)]);
});

test('an API that is away holds up no upload', async () => {
  const { provider } = sourceOf(big);
  const running = attempt(FIRST, provider, [fileOf(big)]);
  while (api.told.length === 0) await new Promise(setImmediate);
  api.away(true);
  await running;
  expect((await inDrive()).map((file) => file.sha256)).toEqual([sha256(big)]);
  expect(api.sessions.size).toBe(0);
});

test('what could not be kept while the API was away is kept once it is back', async () => {
  const kill = new AbortController();
  const other = randomBytes(big.length);
  const held = sourceOf(other, { stopAt: 17 * MIB });
  const next = attempt(FIRST, held.provider, [fileOf(other, 'other.bin')], kill.signal);
  while (api.told.length === 0) await new Promise(setImmediate);
  api.away(true);
  await held.stopped;
  expect(api.sessions.size).toBe(0);
  api.away(false);
  while (api.sessions.size === 0) await new Promise(setImmediate);
  expect([...api.opened(RESUME_KEY).keys()]).toEqual(['other.bin']);
  kill.abort(new Error('killed'));
  await expect(next).rejects.toThrow('killed');
});

test('files that fit into one chunk are not kept; those that are done are forgotten', async () => {
  const { provider } = sourceOf(big.subarray(0, MIB));
  await attempt(FIRST, provider, [fileOf(big.subarray(0, MIB), 'small.bin')]);
  expect(api.told.flatMap(({ keep }) => keep)).toEqual([]);
  const large = sourceOf(big);
  const small = big.subarray(0, CHUNK_BYTES);
  const both: Provider = {
    ...large.provider,
    open: (file, at, signal) =>
      (file.path === 'big.bin' ? large.provider : sourceOf(small).provider).open(file, at, signal),
  };
  await attempt(SECOND, both, [fileOf(big), fileOf(small, 'a.bin'), fileOf(small, 'b.bin')]);
  expect(api.told.flatMap(({ keep }) => keep.map(({ path }) => path))).toEqual(['big.bin']);
  expect(api.sessions.size).toBe(0);
});

test('an API that no longer knows the attempt ends the job', async () => {
  const { provider } = sourceOf(big);
  const running = attempt(FIRST, provider, [fileOf(big)]);
  while (api.told.length === 0) await new Promise(setImmediate);
  api.refusals.push(409);
  await expect(running).rejects.toMatchObject({ reason: 'finalize_refused' });
});

test.each([
  [{ offset: 0, etag: '"x"' }, {}],
  [
    { offset: 9, etag: '"x"' },
    { range: 'bytes=9-', 'if-range': '"x"' },
  ],
  [{ offset: 9, etag: 'W/"x"' }, { range: 'bytes=9-' }],
  [{ offset: 9, etag: undefined }, { range: 'bytes=9-' }],
])('the rest is asked for by %j with %j', (at, headers) => {
  expect(rangeFrom(at)).toEqual(headers);
});
