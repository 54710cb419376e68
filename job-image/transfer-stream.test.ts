/** Streams of unknown length, from the sandbox's HLS and Udemy courses to its Drive. */
import { createHash } from 'node:crypto';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
/* oxlint-disable-next-line no-restricted-imports -- the stand-in's own numbers */
import { UDEMY } from '../sandbox/provider/udemy.ts';
import type { DeliveredFile } from './contract/signed-call.ts';
import { makeDrive } from './drive/call.ts';
import { listExisting } from './drive/existing.ts';
import { findOrderFolder, makeFolderTree, makeOrderFolder } from './drive/folder.ts';
import { makeProgress } from './progress.ts';
import { makeHlsProvider } from './providers/hls.ts';
import type { StreamFile } from './providers/provider.ts';
import { makeUdemyProvider } from './providers/udemy.ts';
import { remux } from './remux.ts';
import { DRIVE_ID, JOB_ID, PROVIDER_TOKEN, QUICK, startOutside, type Outside } from './test/outside.ts';
import type { SessionLedger } from './session-ledger.ts';
import { transferStreams } from './transfer-stream.ts';

const MIB = 1024 * 1024;
const never = new AbortController().signal;
let outside: Outside;
beforeEach(async () => {
  outside = await startOutside();
});
afterEach(() => outside.stop());

const hls = (course: string) =>
  makeHlsProvider({
    https: outside.https,
    courseUrl: `${outside.providerUrl}/courses/${course}/course.json`,
    bearer: PROVIDER_TOKEN,
    retry: QUICK,
  });
const udemy = (courseId: number) =>
  makeUdemyProvider({
    https: outside.https,
    apiUrl: outside.providerUrl,
    courseId,
    bearer: PROVIDER_TOKEN,
    retry: QUICK,
  });

/** Resuming has tests of its own. */
const ledger: SessionLedger = {
  recall: () => Promise.resolve(new Map()),
  keep: () => Promise.resolve(),
  confirmed: () => undefined,
  forget: () => undefined,
  close: () => undefined,
};

async function transfer(streams: readonly StreamFile[]): Promise<DeliveredFile[]> {
  const { https, googleUrl, token } = outside;
  const drive = makeDrive({ https, apiUrl: googleUrl, accessToken: token, retry: QUICK });
  const order = { jobId: JOB_ID, parentFolderId: DRIVE_ID, folderName: 'Khóa học' };
  const folderId = (await findOrderFolder(drive, order, never)) ?? (await makeOrderFolder(drive, order, never));
  const existing = await listExisting(drive, JOB_ID, folderId, never);
  const folderAt = makeFolderTree(drive, { jobId: JOB_ID, rootId: folderId, known: existing.folders }, never);
  const progress = makeProgress(
    { filesTotal: streams.length, bytesTotal: 0 },
    () => undefined,
    () => performance.now(),
  );
  return await transferStreams(
    { drive, folderAt, existing, jobId: JOB_ID, progress, ledger, kept: new Map() },
    streams,
    never,
  );
}
const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
async function bytesOf(stream: StreamFile | undefined): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of stream?.open(never) ?? []) pieces.push(piece);
  return Buffer.concat(pieces);
}
const streamOf = (path: string, content: Buffer): StreamFile & { opened: () => number } => {
  let opened = 0;
  return {
    path,
    contentType: 'video/mp4',
    version: 'v1',
    opened: () => opened,
    open: () =>
      (async function* () {
        opened += 1;
        for (let at = 0; at < content.length; at += 100_001) yield content.subarray(at, at + 100_001);
      })(),
  };
};
const inDrive = async () =>
  Object.fromEntries(
    (await outside.driveFiles())
      .filter(({ size }) => size !== null)
      .map(({ path, sha256: sum }) => [path.replace(/^[^/]+\//, ''), sum]),
  );

/** Seconds of sound and picture, by reading every packet. */
async function playedSeconds(bytes: Buffer): Promise<number[]> {
  const dir = await mkdtemp(join(tmpdir(), 'played-'));
  try {
    await writeFile(join(dir, 'a.mp4'), bytes);
    const args = ['-v', 'error', '-show_entries', 'stream=codec_type,duration', '-of', 'csv=p=0', join(dir, 'a.mp4')];
    const { stdout, stderr } = await promisify(execFile)('ffprobe', args).catch((error: NodeJS.ErrnoException) => {
      throw error.code === 'ENOENT' ? new Error('ffmpeg is missing: run ./script/test-tools') : error;
    });
    expect(stderr).toBe('');
    return stdout
      .trim()
      .split('\n')
      .map((line) => Number(line.split(',')[1]));
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

describe('hls', () => {
  test('streams of every shape arrive as MP4 that plays for as long as its segments do', async () => {
    const streams = await hls('hls').streams(never);
    const delivered = await transfer(streams);
    expect(await inDrive()).toEqual(Object.fromEntries(delivered.map(({ path, sha256: sum }) => [path, sum])));
    const seconds = await Promise.all(streams.map(async (stream) => await playedSeconds(await bytesOf(stream))));
    const expected = streams.map(({ path }) => (path.includes('discontinuity') ? 12 : 6));
    for (const [index, all] of seconds.entries()) {
      expect(all).toHaveLength(2);
      for (const each of all) expect(Math.abs(each - (expected[index] ?? 0))).toBeLessThan(0.5);
    }
  });

  test.each([
    'aes-128',
    'sample-aes',
    'sample-aes-ctr',
    'unknown-method',
    'session-key',
    'session-data',
    'late-key',
    'unmarked',
  ])('%s is refused as protected before a segment is fetched', async (name) => {
    await expect(hls(`hls-${name}`).streams(never)).rejects.toMatchObject({ reason: 'protected_content' });
  });
  test('an initialisation that speaks of encryption is refused before anything goes to Drive', async () => {
    await expect(hls('hls-encrypted-init').streams(never)).rejects.toMatchObject({ reason: 'protected_content' });
  });
  test.each(['live', 'local', 'elsewhere', 'none-such'])('%s ends as malformed', async (name) => {
    await expect(hls(`hls-${name}`).streams(never)).rejects.toMatchObject({ reason: 'manifest_invalid' });
  });

  test('segments break off, and each goes on where it stopped', async () => {
    const [plain] = await hls('hls-plain').streams(never);
    const whole = sha256(await bytesOf(plain));
    await outside.providerFault({ match: { path: 'ts-1' }, afterBytes: 5_000, times: 2 });
    await outside.providerFault({ match: { path: 'ts-2' }, status: 503, times: 2 });
    expect(sha256(await bytesOf(plain))).toBe(whole);
  });
  test('a provider that stays away ends as unavailable', async () => {
    const streams = await hls('hls-plain').streams(never);
    await outside.providerFault({ match: { path: 'ts-1' }, status: 503 });
    await expect(transfer(streams)).rejects.toMatchObject({ reason: 'provider_unavailable' });
    expect(await inDrive()).toEqual({});
  });

  test('a segment that is something else than media is refused, though ffmpeg would pass over it', async () => {
    const streams = await hls('hls-plain').streams(never);
    await outside.providerFault({ match: { path: 'ts-1' }, flipByte: 0 });
    await expect(transfer(streams)).rejects.toMatchObject({ reason: 'provider_unavailable' });
    expect(await inDrive()).toEqual({});
  });

  test('what is no media ends as malformed; ffmpeg opens nothing by itself', async () => {
    const read = async (text: string): Promise<void> => {
      const source = (async function* () {
        yield Buffer.from(text);
      })();
      for await (const piece of remux(source, 'mpegts', 'stream', never)) expect(piece.length).toBe(0);
    };
    await expect(read('no media at all'.repeat(1_000))).rejects.toMatchObject({ reason: 'manifest_invalid' });
    await expect(read('#EXTM3U\nfile:///etc/passwd\n')).rejects.toMatchObject({ reason: 'manifest_invalid' });
  });
});

describe('udemy', () => {
  test('files stand in folders by section, numbered, with names that fit everywhere', async () => {
    const delivered = await transfer(await udemy(UDEMY.fine).streams(never));
    const paths = delivered.map(({ path }) => path);
    expect(paths.slice(0, -1)).toEqual([
      '001 Chào mừng.html',
      '01 Mở đầu - Cài đặt/002 Cài đặt.mp4',
      '01 Mở đầu - Cài đặt/002 Tài liệu.pdf',
      '01 Mở đầu - Cài đặt/002 Tài liệu (2).pdf',
    ]);
    const last = paths.at(-1)?.split('/')[1] ?? '';
    expect([last.slice(0, 12), last.slice(-4), Buffer.byteLength(last) <= 255]).toEqual(['003 Ôn tập: ', '.mp4', true]);
    expect(await inDrive()).toEqual(Object.fromEntries(delivered.map(({ path, sha256: sum }) => [path, sum])));
    expect(delivered[1]?.sha256).toBe(sha256(Buffer.alloc(200_000, 'Udemy video-11-720.mp4 ')));
  });

  test.each(['drmed', 'licenceToken', 'dashOnly', 'unsaid', 'unknownKind'] as const)(
    '%s is refused as protected',
    async (what) => {
      await expect(udemy(UDEMY[what]).streams(never)).rejects.toMatchObject({ reason: 'protected_content' });
    },
  );
  test('a playlist behind an address of a plain file is refused as protected', async () => {
    const streams = await udemy(UDEMY.hiddenStream).streams(never);
    await expect(transfer(streams)).rejects.toMatchObject({ reason: 'protected_content' });
  });
  test('an address that has expired is worth another attempt', async () => {
    const streams = await udemy(UDEMY.fine).streams(never);
    await outside.providerFault({ match: { path: '^/signed' }, status: 403 });
    await expect(transfer(streams)).rejects.toMatchObject({ reason: 'provider_unavailable' });
  });
  test('a course of others is denied', async () => {
    await expect(udemy(UDEMY.notEnrolled).streams(never)).rejects.toMatchObject({ reason: 'provider_denied' });
  });
});

describe('transferStreams', () => {
  const big = Buffer.alloc(9 * MIB + 77, 'lading ');
  test.each([0, 1, 256 * 1024, 4 * MIB - 1, 4 * MIB, 4 * MIB + 1, 8 * MIB])(
    'a stream that turns out to have %d bytes arrives whole',
    async (length) => {
      const content = Buffer.alloc(length, 'x');
      const [delivered] = await transfer([streamOf('a.mp4', content)]);
      expect([delivered?.bytes, await inDrive()]).toEqual([length, { 'a.mp4': sha256(content) }]);
    },
  );

  test.each([
    ['the connection breaks in chunks', { match: { method: 'PUT' }, afterBytes: 3 * MIB + 7, times: 3 }],
    ['Drive takes less than was sent', { match: { method: 'PUT' }, shortRange: MIB, times: 5 }],
    ['Drive takes nothing, twice', { match: { method: 'PUT' }, shortRange: 0, times: 2 }],
    ['Drive answers 503', { match: { method: 'PUT' }, status: 503, times: 2, skip: 1 }],
    ['Drive asks for patience', { match: { method: 'PUT' }, status: 403, reason: 'userRateLimitExceeded', times: 2 }],
    ['the start meets 500', { match: { method: 'POST', path: '^/upload' }, status: 500, times: 2 }],
  ])('%s, and the stream arrives whole, read once', async (_title, fault) => {
    await outside.driveFault(fault);
    const stream = streamOf('a.mp4', big);
    await transfer([stream]);
    expect([await inDrive(), stream.opened()]).toEqual([{ 'a.mp4': sha256(big) }, 1]);
  });
  test('a lost session starts the stream again', async () => {
    await outside.driveFault({ match: { method: 'PUT' }, status: 404, reason: 'notFound', skip: 1, times: 1 });
    const stream = streamOf('a.mp4', big);
    await transfer([stream]);
    expect([await inDrive(), stream.opened()]).toEqual([{ 'a.mp4': sha256(big) }, 2]);
  });
  test('a full drive ends with its cause', async () => {
    await outside.driveFault({
      match: { method: 'POST', path: '^/upload' },
      status: 403,
      reason: 'storageQuotaExceeded',
    });
    await expect(transfer([streamOf('a.mp4', big)])).rejects.toMatchObject({ reason: 'drive_quota' });
  });
  test('a later attempt keeps what was proven, and replaces another version', async () => {
    const stream = streamOf('a.mp4', big);
    const [first] = await transfer([stream]);
    expect(await transfer([stream])).toEqual([first]);
    expect(stream.opened()).toBe(1);
    const [next] = await transfer([{ ...streamOf('a.mp4', Buffer.from('new')), version: 'v2' }]);
    expect(next?.driveId).not.toBe(first?.driveId);
    expect(await inDrive()).toEqual({ 'a.mp4': sha256(Buffer.from('new')) });
  });
});
