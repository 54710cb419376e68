/** What one attempt began of a stream, the next one ends: read again from its first byte, and sent from where Drive stands. */
import { createHash, randomBytes } from 'node:crypto';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { deriveResumeKey } from './contract/sealed-session.ts';
import { makeDrive } from './drive/call.ts';
import { listExisting } from './drive/existing.ts';
import { makeFolderTree } from './drive/folder.ts';
import { makeProgress } from './progress.ts';
import { makeHlsProvider } from './providers/hls.ts';
import type { StreamFile } from './providers/provider.ts';
import { makeSessionLedger } from './session-ledger.ts';
import { startJobApi, type JobApi } from './test/job-api.ts';
import { ATTEMPT_ID, DRIVE_ID, JOB_ID, PROVIDER_TOKEN, QUICK, startOutside, type Outside } from './test/outside.ts';
import { transferStreams } from './transfer-stream.ts';

const MIB = 1024 * 1024;
const CHUNK_BYTES = 4 * MIB;
const MASTER_KEY = Buffer.alloc(32, 'm');
const RESUME_KEY = deriveResumeKey(MASTER_KEY, JOB_ID);
const FIRST = ATTEMPT_ID;
const SECOND = '0199a3c0-2222-7000-8000-000000000002';
const big = randomBytes(14 * MIB + 5);
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

const streamOf = (content: Buffer, version = 'v1'): StreamFile & { opened: () => number } => {
  let opened = 0;
  return {
    path: 'a.mp4',
    contentType: 'video/mp4',
    version,
    opened: () => opened,
    open: () =>
      (async function* () {
        opened += 1;
        for (let at = 0; at < content.length; at += 100_001) yield content.subarray(at, at + 100_001);
      })(),
  };
};

/** One attempt over `streams`, as a container would make it. */
async function attempt(attemptId: string, streams: readonly StreamFile[], signal = new AbortController().signal) {
  const { https, googleUrl, token } = outside;
  const drive = makeDrive({ https, apiUrl: googleUrl, accessToken: token, retry: QUICK });
  const onRefused = (): void => undefined;
  const ledger = makeSessionLedger(
    api.doorFor(attemptId),
    { attemptId, resumeKey: RESUME_KEY, retry: QUICK, tellEveryMs: 5, onRefused },
    signal,
  );
  const said: { bytesDone: number; filesDone: number }[] = [];
  const progress = makeProgress(
    { filesTotal: streams.length, bytesTotal: 0 },
    ({ bytesDone, filesDone }) => said.push({ bytesDone, filesDone }),
    () => performance.now(),
  );
  try {
    const kept = await ledger.recall();
    const existing = await listExisting(drive, JOB_ID, DRIVE_ID, signal);
    const folderAt = makeFolderTree(drive, { jobId: JOB_ID, rootId: DRIVE_ID, known: existing.folders }, signal);
    const parts = { drive, folderAt, existing, jobId: JOB_ID, progress, ledger, kept };
    const delivered = await transferStreams(parts, streams, signal);
    progress.say();
    return { delivered, last: said.at(-1) };
  } finally {
    ledger.close();
  }
}
/** An attempt that ends without a word when its n-th call of this kind reaches Drive. */
async function killedAt(stream: StreamFile, n: number): Promise<void> {
  const kill = new AbortController();
  outside.onDrive('PUT', '/upload/', () => Promise.resolve(kill.abort(new Error('killed'))), n);
  await expect(attempt(FIRST, [stream], kill.signal)).rejects.toThrow('killed');
}
/** One that sent all of it and could not prove it. */
async function unproven(stream: StreamFile): Promise<void> {
  await outside.driveFault({ match: { method: 'PATCH' }, status: 503 });
  await expect(attempt(FIRST, [stream])).rejects.toMatchObject({ reason: 'drive_unavailable' });
  await outside.clearFaults();
}
const inDrive = async () => (await outside.driveFiles()).filter(({ size }) => size !== null).map((file) => file.sha256);

test('goes on where Drive stands: at most one chunk is sent twice, and the whole is proven', async () => {
  await killedAt(streamOf(big), 2);
  expect(api.opened(RESUME_KEY).get('a.mp4')).toMatchObject({ version: 'v1', parentId: DRIVE_ID });
  const before = await outside.driveReceivedBytes();
  const { delivered, last } = await attempt(SECOND, [streamOf(big)]);
  expect(delivered).toMatchObject([{ bytes: big.length, sha256: sha256(big) }]);
  expect(await inDrive()).toEqual([sha256(big)]);
  expect((await outside.driveReceivedBytes()) - before).toBeLessThanOrEqual(big.length - 2 * CHUNK_BYTES);
  expect(await outside.driveReceivedBytes()).toBeLessThanOrEqual(big.length + CHUNK_BYTES);
  expect(last).toEqual({ bytesDone: big.length, filesDone: 1 });
  for (const body of api.bodies) expect(body).not.toContain('upload_id');
});

test.each([
  ['its beginning has changed unnoticed', () => Buffer.concat([randomBytes(100), big.subarray(100)]), 'v1'],
  ['it is shorter by now than what Drive has', () => big.subarray(0, MIB), 'v1'],
  ['it is another version', () => randomBytes(big.length), 'v2'],
])('what is delivered is the source as it is now, where %s', async (_, contentNow, version) => {
  await killedAt(streamOf(big), 2);
  const now = contentNow();
  const { delivered, last } = await attempt(SECOND, [streamOf(now, version)]);
  expect(delivered).toMatchObject([{ bytes: now.length, sha256: sha256(now) }]);
  expect(await inDrive()).toEqual([sha256(now)]);
  expect(last).toEqual({ bytesDone: now.length, filesDone: 1 });
});

test.each([404, 410])('starts again where its session is gone (%s)', async (status) => {
  await killedAt(streamOf(big), 2);
  await outside.driveFault({ match: { method: 'PUT' }, status, reason: 'notFound', times: 1 });
  await attempt(SECOND, [streamOf(big)]);
  expect(await inDrive()).toEqual([sha256(big)]);
});

test('sent whole and not proven yet, it is read again and not sent again', async () => {
  await unproven(streamOf(big));
  const before = await outside.driveReceivedBytes();
  const stream = streamOf(big);
  const { delivered, last } = await attempt(SECOND, [stream]);
  expect([await inDrive(), stream.opened()]).toEqual([[sha256(big)], 1]);
  expect(await outside.driveReceivedBytes()).toBe(before);
  expect(delivered).toMatchObject([{ bytes: big.length, sha256: sha256(big) }]);
  expect(last).toEqual({ bytesDone: big.length, filesDone: 1 });
});

test('sent whole, and another by now, it is sent as it is now', async () => {
  await unproven(streamOf(big));
  const now = randomBytes(CHUNK_BYTES + 1);
  await attempt(SECOND, [streamOf(now)]);
  expect(await inDrive()).toEqual([sha256(now)]);
});

test('a stream of one chunk is not kept', async () => {
  await attempt(FIRST, [streamOf(big.subarray(0, CHUNK_BYTES))]);
  expect(api.told.flatMap(({ keep }) => keep)).toEqual([]);
});

test('the same segments make the same MP4, whose first part therefore need not be sent again', async () => {
  const { https, providerUrl } = outside;
  const courseUrl = `${providerUrl}/courses/hls/course.json`;
  const provider = makeHlsProvider({ https, courseUrl, bearer: PROVIDER_TOKEN, retry: QUICK });
  const never = new AbortController().signal;
  for (const stream of await provider.streams(never)) {
    const sums = [0, 1].map(async () => {
      const hash = createHash('sha256');
      for await (const piece of stream.open(never)) hash.update(piece);
      return hash.digest('hex');
    });
    const [one, other] = await Promise.all(sums);
    expect(one).toBe(other);
  }
});
