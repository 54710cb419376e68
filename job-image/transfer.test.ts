import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Progress } from './contract/messages.ts';
import { deriveResumeKey } from './contract/sealed-session.ts';
import { makeDrive, type Drive } from './drive/call.ts';
import { listExisting } from './drive/existing.ts';
import { findOrderFolder, makeFolderTree, makeOrderFolder } from './drive/folder.ts';
import { chunkBytesFor } from './drive/upload.ts';
import { makeProgress } from './progress.ts';
import type { Provider, SourceFile } from './providers/provider.ts';
import { ATTEMPT_ID, DRIVE_ID, JOB_ID, QUICK, startOutside, type Outside } from './test/outside.ts';
import { makeSessionLedger } from './session-ledger.ts';
import { startJobApi, type JobApi } from './test/job-api.ts';
import { transferAll } from './transfer.ts';

const MIB = 1024 * 1024;
const never = new AbortController().signal;
let outside: Outside;
let drive: Drive;
let said: Progress[];
let api: JobApi;
const MASTER_KEY = Buffer.alloc(32, 'm');
const RESUME_KEY = deriveResumeKey(MASTER_KEY, JOB_ID);
beforeEach(async () => {
  outside = await startOutside();
  api = await startJobApi({ masterKey: MASTER_KEY });
  const { https, googleUrl, token } = outside;
  drive = makeDrive({ https, apiUrl: googleUrl, accessToken: token, retry: QUICK });
  said = [];
});
afterEach(async () => {
  await api.stop();
  await outside.stop();
});

type Content = Record<string, Buffer>;
const sha256 = (content: Buffer): string => createHash('sha256').update(content).digest('hex');
const fileOf = (path: string, content: Buffer): SourceFile => ({
  path,
  bytes: content.length,
  sha256: sha256(content),
  contentType: 'application/octet-stream',
});

/** A provider with its files in memory; `opened` counts. */
function providerOf(contents: Content): Provider & { opened: string[] } {
  const opened: string[] = [];
  return {
    opened,
    retry: QUICK,
    list: async () => Object.entries(contents).map(([path, content]) => fileOf(path, content)),
    open: async ({ path }, { offset }) => {
      opened.push(path);
      const content = contents[path] ?? Buffer.alloc(0);
      const body = (async function* () {
        for (let at = offset; at < content.length; at += 65_000) yield content.subarray(at, at + 65_000);
      })();
      return { done: { body, etag: undefined } };
    },
  };
}

async function transfer(
  provider: Provider,
  more: { files?: SourceFile[]; parallelFiles?: number; signal?: AbortSignal } = {},
) {
  const { parallelFiles = 3, signal = never } = more;
  const files = more.files ?? (await provider.list(signal));
  const order = { jobId: JOB_ID, parentFolderId: DRIVE_ID, folderName: "Nguyễn's course" };
  const folderId = (await findOrderFolder(drive, order, signal)) ?? (await makeOrderFolder(drive, order, signal));
  const existing = await listExisting(drive, JOB_ID, folderId, signal);
  const folderAt = makeFolderTree(drive, { jobId: JOB_ID, rootId: folderId, known: existing.folders }, signal);
  const totals = { filesTotal: files.length, bytesTotal: files.reduce((sum, { bytes }) => sum + bytes, 0) };
  const progress = makeProgress(
    totals,
    (each) => said.push(each),
    () => performance.now(),
  );
  const door = api.doorFor(ATTEMPT_ID);
  const ledger = makeSessionLedger(
    door,
    {
      attemptId: ATTEMPT_ID,
      resumeKey: RESUME_KEY,
      retry: QUICK,
      tellEveryMs: 10,
      onRefused: (end) => expect(end).toBeUndefined(),
    },
    signal,
  );
  const kept = await ledger.recall();
  const delivered = await transferAll(
    { provider, drive, folderAt, existing, files, jobId: JOB_ID, parallelFiles, progress, ledger, kept },
    signal,
  );
  progress.say();
  return delivered;
}
const inDrive = async () =>
  Object.fromEntries(
    (await outside.driveFiles())
      .filter(({ trashed, size }) => !trashed && size !== null)
      .map(({ path, sha256: sum }) => [path.replace(/^[^/]+\//, ''), sum]),
  );
const expected = (contents: Content) =>
  Object.fromEntries(Object.entries(contents).map(([path, content]) => [path, sha256(content)]));

const COURSE: Content = {
  'empty.txt': Buffer.alloc(0),
  'one.bin': randomBytes(1),
  'chunk.bin': randomBytes(8 * MIB),
  'chunks.bin': randomBytes(17 * MIB + 3),
  "it's/a \\ b.txt": randomBytes(1_000),
  'bài 1/ghi chú.bin': randomBytes(300_000),
  'bài 1/2/3/x.bin': randomBytes(10),
  'bài 1/2/y.bin': randomBytes(10),
};

describe('transferAll', () => {
  test('every file arrives as it was, of whatever size, in one folder each', async () => {
    const delivered = await transfer(providerOf(COURSE));
    expect(await inDrive()).toEqual(expected(COURSE));
    expect(delivered.map(({ path, bytes, sha256: sum }) => [path, bytes, sum])).toEqual(
      Object.entries(COURSE).map(([path, content]) => [path, content.length, sha256(content)]),
    );
    const all = await outside.driveFiles();
    expect(all.filter(({ size }) => size === null)).toHaveLength(5);
    expect(new Set(delivered.map(({ driveId }) => driveId))).toEqual(
      new Set(all.filter(({ size }) => size !== null).map(({ id }) => id)),
    );
    expect(all.every(({ appProperties }) => appProperties['ladingJob'] === JOB_ID)).toBe(true);
    const { bytesTotal } = said.at(-1) as Progress;
    expect(said.at(-1)).toMatchObject({ filesDone: 8, filesTotal: 8, bytesDone: bytesTotal });
  });

  test('a second attempt keeps what fits, replaces what does not, and makes no folder twice', async () => {
    const { 'one.bin': one, 'bài 1/2/y.bin': y } = COURSE as { 'one.bin': Buffer; 'bài 1/2/y.bin': Buffer };
    await transfer(providerOf({ 'one.bin': one, 'bài 1/2/y.bin': randomBytes(10) }));
    const before = await outside.driveFiles();
    const provider = providerOf({ 'one.bin': one, 'bài 1/2/y.bin': y });
    const delivered = await transfer(provider);
    expect(provider.opened).toEqual(['bài 1/2/y.bin']);
    expect(await inDrive()).toEqual(expected({ 'one.bin': one, 'bài 1/2/y.bin': y }));
    expect(delivered[0]?.driveId).toBe(before.find(({ path }) => path.endsWith('one.bin'))?.id);
    expect((await outside.driveFiles()).filter(({ size }) => size === null)).toHaveLength(3);
  });

  const BIG = { 'big.bin': randomBytes(20 * MIB + 5) };
  test.each([
    ['the connection breaks in the middle of chunks', { match: { method: 'PUT' }, afterBytes: 3 * MIB + 7, times: 3 }],
    ['Drive takes less than was sent', { match: { method: 'PUT' }, shortRange: MIB, times: 5 }],
    ['Drive takes nothing, twice', { match: { method: 'PUT' }, shortRange: 0, times: 2 }],
    ['Drive answers 503 to a chunk', { match: { method: 'PUT' }, status: 503, times: 2, skip: 1 }],
    ['Drive asks for patience', { match: { method: 'PUT' }, status: 403, reason: 'userRateLimitExceeded', times: 2 }],
    ['the start of the upload meets 500', { match: { method: 'POST', path: '^/upload' }, status: 500, times: 2 }],
    ['the folder cannot be made at first', { match: { method: 'POST', path: '^/drive' }, status: 502, times: 2 }],
  ])('%s, and the file still arrives whole, read once', async (_title, fault) => {
    await outside.driveFault(fault);
    const provider = providerOf(BIG);
    await transfer(provider);
    expect(await inDrive()).toEqual(expected(BIG));
    expect(provider.opened).toEqual(['big.bin']);
    expect(said.at(-1)).toMatchObject({ bytesDone: BIG['big.bin'].length, filesDone: 1 });
  });

  test('an answer lost after the last byte is asked for again, and no second copy is made', async () => {
    const { url } = await outside.serveHttps(() => (request, response) => {
      const { socket } = request;
      void (async () => {
        const { body, statusCode, headers } = await outside.https.request({
          origin: outside.googleUrl,
          path: request.url ?? '',
          method: request.method ?? 'GET',
          headers: Object.fromEntries(
            Object.entries(request.headers).filter(([name]) => name !== 'connection'),
          ) as Record<string, string>,
          body: ['GET', 'DELETE'].includes(request.method ?? '') ? null : request,
        });
        const answer = Buffer.from(await body.arrayBuffer());
        if (request.method === 'PUT' && statusCode === 200 && !lost) {
          lost = true;
          socket.destroy();
          return;
        }
        const location = String(headers['location'] ?? '').replace(outside.googleUrl, url);
        response.writeHead(statusCode, location === '' ? {} : { location }).end(answer);
      })();
    });
    let lost = false;
    drive = makeDrive({ https: outside.https, apiUrl: url, accessToken: outside.token, retry: QUICK });
    const contents = { 'a.bin': randomBytes(1_000) };
    const [delivered] = await transfer(providerOf(contents));
    expect(lost).toBe(true);
    const files = (await outside.driveFiles()).filter(({ size }) => size !== null);
    expect(files.map(({ id }) => id)).toEqual([delivered?.driveId]);
  });

  test('a lost session starts the file again', async () => {
    const provider = providerOf(BIG);
    await outside.driveFault({ match: { method: 'PUT' }, status: 404, reason: 'notFound', skip: 1, times: 1 });
    await transfer(provider);
    expect(await inDrive()).toEqual(expected(BIG));
    expect(provider.opened).toEqual(['big.bin', 'big.bin']);
    expect(said.at(-1)).toMatchObject({ bytesDone: BIG['big.bin'].length, filesDone: 1 });
  });

  test('a checksum that never fits ends the job, and nothing wrong is left behind', async () => {
    const provider = providerOf({ 'a.bin': randomBytes(1_000) });
    const files = [{ ...fileOf('a.bin', randomBytes(1_000)) }];
    await expect(transfer(provider, { files })).rejects.toMatchObject({ reason: 'checksum_mismatch' });
    expect(provider.opened).toHaveLength(3);
    expect(await inDrive()).toEqual({});
  });

  test('where deleting is not allowed, the trash is', async () => {
    await outside.driveFault({ match: { method: 'DELETE' }, status: 403, reason: 'insufficientFilePermissions' });
    const files = [fileOf('a.bin', randomBytes(1_000))];
    await expect(transfer(providerOf({ 'a.bin': randomBytes(1_000) }), { files })).rejects.toMatchObject({
      reason: 'checksum_mismatch',
    });
    expect(await inDrive()).toEqual({});
    expect((await outside.driveFiles()).filter(({ trashed }) => trashed)).toHaveLength(3);
  });

  test.each([
    ['storageQuotaExceeded', 403, 'drive_quota'],
    ['insufficientFilePermissions', 403, 'drive_denied'],
    ['backendError', 503, 'drive_unavailable'],
    ['rateLimitExceeded', 429, 'drive_unavailable'],
  ])('%s all the time ends with %s %s', async (reason, status, end) => {
    await outside.driveFault({ match: { path: '^/upload' }, status, reason });
    await expect(transfer(providerOf({ 'a.bin': randomBytes(10) }))).rejects.toMatchObject({
      name: 'JobEnd',
      reason: end,
    });
  });

  test('a token that Drive no longer takes ends with drive_unavailable', async () => {
    drive = makeDrive({ https: outside.https, apiUrl: outside.googleUrl, accessToken: 'ya29.gone', retry: QUICK });
    await expect(transfer(providerOf(BIG))).rejects.toMatchObject({ reason: 'drive_unavailable' });
  });

  test('the first file that fails stops the others', async () => {
    const large = (): Buffer => randomBytes(MIB + 1);
    const contents = { 'bad.bin': large(), 'a.bin': large(), 'b.bin': large() };
    const files = Object.entries(contents).map(([path, content]) => fileOf(path, content));
    files[0] = fileOf('bad.bin', large());
    const provider = providerOf(contents);
    await expect(transfer(provider, { files, parallelFiles: 1 })).rejects.toMatchObject({
      reason: 'checksum_mismatch',
    });
    expect(provider.opened).toEqual(['bad.bin', 'bad.bin', 'bad.bin']);
  });

  test('of small files three times as many are carried at once as of large ones, and no more', async () => {
    const small = Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`${i}.bin`, randomBytes(100)]));
    const provider = providerOf(small);
    const files = Object.entries(small).map(([path, content]) => fileOf(path, content));
    const together = Promise.withResolvers<void>();
    let [open, most] = [0, 0];
    const counting: Provider = {
      ...provider,
      open: async (...args) => {
        open += 1;
        most = Math.max(most, open);
        if (open === 6) together.resolve();
        await together.promise;
        const opened = await provider.open(...args);
        open -= 1;
        return opened;
      },
    };
    expect(await transfer(counting, { files, parallelFiles: 2 })).toHaveLength(12);
    expect(most).toBe(6);
  });

  test('a job that is told to stop stops in the middle of a file', async () => {
    const stop = new AbortController();
    const endless = providerOf({});
    const provider: Provider = {
      ...endless,
      open: async (_file, _at, signal) => ({
        done: {
          etag: undefined,
          body: (async function* () {
            yield randomBytes(100);
            const aborted = once(signal, 'abort');
            stop.abort(new Error('stopped'));
            await aborted;
            throw signal.reason;
          })(),
        },
      }),
    };
    const files = [{ ...fileOf('a.bin', randomBytes(10)), bytes: 1_000_000 }];
    await expect(transfer(provider, { files, signal: stop.signal })).rejects.toThrow('stopped');
  });
});

test.each([
  [1, 8 * MIB],
  [8, 8 * MIB],
  [10, 6.25 * MIB],
  [32, 2 * MIB],
])('%s files at once have chunks of %s bytes', (parallel, bytes) => {
  expect(chunkBytesFor(parallel)).toBe(bytes);
  expect(chunkBytesFor(parallel) % (256 * 1024)).toBe(0);
});
