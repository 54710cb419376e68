/** Another's client, which knows only Google: rclone of Debian authenticates, uploads, lists and checks against us. */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { startAsGoogleapis, type AsGoogleapis } from './as-googleapis.ts';
import { DRIVE_ID, startGoogle, type GoogleForTest } from './start-google.ts';

const MIB = 1024 * 1024;
const RCLONE_LIMIT_MS = 40_000;
const CHUNK = { path: 'upload_id=' };

let google: GoogleForTest;
let proxy: AsGoogleapis;
let dir: string;

/** Runs rclone with the remote `drive:`. Rejects with its stderr when it fails. */
async function rclone(...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(
    'rclone',
    [...args, '--ca-cert', google.caPath, '--low-level-retries', '6', '--drive-pacer-min-sleep', '5ms'],
    {
      timeout: RCLONE_LIMIT_MS,
      env: {
        PATH: process.env['PATH'],
        HOME: dir,
        HTTPS_PROXY: proxy.url,
        RCLONE_CONFIG: join(dir, 'rclone.conf'),
        RCLONE_CONFIG_DRIVE_TYPE: 'drive',
        RCLONE_CONFIG_DRIVE_SCOPE: 'drive',
        RCLONE_CONFIG_DRIVE_SERVICE_ACCOUNT_FILE: google.accountPath,
        RCLONE_CONFIG_DRIVE_TEAM_DRIVE: DRIVE_ID,
      },
    },
  ).catch((error: NodeJS.ErrnoException & { stderr?: string }) => {
    if (error.code === 'ENOENT') throw new Error('rclone is missing: run ./script/test-tools', { cause: error });
    throw new Error(`rclone ${args.join(' ')}: ${error.stderr || error.message}`, { cause: error });
  });
  return stdout;
}

const kinds = async (): Promise<Record<string, number>> =>
  ((await google.json('/sandbox/requests')).body as { kinds: Record<string, number> }).kinds;
const fault = (body: object) => google.call('/sandbox/faults', { method: 'POST', body: JSON.stringify(body) });

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sandbox-rclone-'));
  google = await startGoogle('https://www.googleapis.com');
  proxy = await startAsGoogleapis(Number(new URL(google.url).port));
  await mkdir(join(dir, 'course/Bài 1'), { recursive: true });
  await mkdir(join(dir, 'course/Bài 2 - Cài đặt'), { recursive: true });
  await writeFile(join(dir, 'rclone.conf'), '');
  await writeFile(join(dir, 'course/Bài 1/Chào mừng.txt'), 'Xin chào!\n');
  await writeFile(join(dir, "course/Bài 1/it's empty"), '');
  await writeFile(join(dir, 'course/Bài 2 - Cài đặt/video.bin'), randomBytes(20 * MIB + 5));
});
beforeEach(() => google.call('/sandbox/faults', { method: 'DELETE' }));
afterAll(async () => {
  await proxy.stop();
  await google.stop();
  await rm(dir, { recursive: true, force: true });
});

test('rclone authenticates, makes folders, uploads in chunks, lists and finds every checksum right', async () => {
  await rclone(
    'copy',
    join(dir, 'course'),
    'drive:Khóa học',
    '--drive-chunk-size',
    '8M',
    '--drive-upload-cutoff',
    '8M',
  );
  expect((await rclone('lsf', '-R', 'drive:')).trim().split('\n').toSorted()).toEqual(
    [
      'Khóa học/',
      'Khóa học/Bài 1/',
      'Khóa học/Bài 1/Chào mừng.txt',
      "Khóa học/Bài 1/it's empty",
      'Khóa học/Bài 2 - Cài đặt/',
      'Khóa học/Bài 2 - Cài đặt/video.bin',
    ].toSorted(),
  );
  await rclone('check', join(dir, 'course'), 'drive:Khóa học');
  await rclone('check', '--download', join(dir, 'course'), 'drive:Khóa học');
  expect(await kinds()).toMatchObject({ token: expect.any(Number), 'upload.start': 1, 'upload.chunk': 3 });
  expect([...proxy.asked].toSorted()).toEqual(['oauth2.googleapis.com:443', 'www.googleapis.com:443']);
});

test('a second copy has nothing to do, and a changed file is found and replaced', async () => {
  const before = (await kinds())['upload.start'];
  await rclone('copy', join(dir, 'course'), 'drive:Khóa học');
  expect((await kinds())['upload.start']).toBe(before);
  await writeFile(join(dir, 'course/Bài 1/Chào mừng.txt'), 'Tạm biệt!\n');
  await expect(rclone('check', join(dir, 'course'), 'drive:Khóa học')).rejects.toThrow('1 differences found');
  await rclone('copy', join(dir, 'course'), 'drive:Khóa học');
  await rclone('check', join(dir, 'course'), 'drive:Khóa học');
});

test.each([
  ['429 to a chunk', { match: CHUNK, status: 429, reason: 'rateLimitExceeded', times: 2 }],
  [
    '403 userRateLimitExceeded',
    { match: { method: 'POST', path: '^/upload' }, status: 403, reason: 'userRateLimitExceeded', times: 2 },
  ],
  ['503 to a chunk', { match: CHUNK, status: 503, times: 2, skip: 1 }],
  ['500 to a list', { match: { method: 'GET', path: '^/drive/v3/files' }, status: 500, times: 2 }],
  ['a short 308 range', { match: CHUNK, shortRange: MIB, times: 2 }],
  ['latency', { match: {}, latencyMs: 50, times: 5 }],
  ['a narrow band', { match: CHUNK, bytesPerSecond: 20 * MIB, times: 3 }],
])('rclone gets over %s', async (name, what) => {
  await fault(what);
  const to = `drive:faults/${name}`;
  await rclone('copy', join(dir, 'course'), to, '--drive-chunk-size', '8M', '--drive-upload-cutoff', '8M');
  await google.call('/sandbox/faults', { method: 'DELETE' });
  await rclone('check', join(dir, 'course'), to);
});

test('a connection dropped in the middle of a chunk, and an expired session, cost a retry and no more', async () => {
  await fault({ match: CHUNK, afterBytes: 3 * MIB, times: 1 });
  await fault({ match: CHUNK, status: 404, reason: 'notFound', times: 1, skip: 1 });
  const to = 'drive:faults/dropped';
  await rclone('copy', join(dir, 'course'), to, '--drive-chunk-size', '8M', '--drive-upload-cutoff', '8M');
  await rclone('check', join(dir, 'course'), to);
});

test('a full drive is told in words', async () => {
  await fault({ match: { method: 'POST', path: '^/upload' }, status: 403, reason: 'storageQuotaExceeded' });
  await expect(rclone('copy', join(dir, 'course'), 'drive:full', '--retries', '1')).rejects.toThrow(
    'storageQuotaExceeded',
  );
});
