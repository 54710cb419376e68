/** What a job is measured against: download to disk, then upload, both with rclone; and a bare pipe of two curls. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { fetch, type Agent } from 'undici';
import { startAsGoogleapis } from '../sandbox/google/as-googleapis.ts';
import { signAssertion } from '../sandbox/google/start-google.ts';
import { startProcess, type Started } from '../sandbox/process.ts';
import type { World } from './world.ts';

/** rclone's own number of transfers, and of a job's large files. */
const RCLONE_AT_ONCE = 4;
export const RUN_LIMIT_MS = 30 * 60_000;
const SHARED_DRIVE_ID = '0ALadingSandboxDrive';
export const SMALL_FILES = 1_000;

const run = promisify(execFile);
const root = fileURLToPath(new URL('..', import.meta.url));

export type Outside = { world: World; agent: Agent; rcloneGoogle: Started };

const filesOf = (course: string): string[] =>
  course === 'many' ? Array.from({ length: SMALL_FILES }, (_, i) => `${i}.bin`) : ['video.bin'];
const addressOf = (world: World, course: string, file: string): string =>
  `${world.system.providerUrl}/courses/${course}/files/${file}`;
export const secretOf = (world: World, name: string): Promise<string> =>
  readFile(join(world.system.runDir, 'secrets', name), 'utf8');
const caOf = (world: World): string => join(world.system.runDir, 'tls/ca.pem');

/** Downloads to disk, then uploads from there; in seconds. */
export async function downloadThenUpload(outside: Outside, course: string): Promise<number> {
  const { world, rcloneGoogle } = outside;
  const dir = await mkdtemp(join(tmpdir(), 'lading-bench-rclone-'));
  const proxy = await startAsGoogleapis(Number(new URL(rcloneGoogle.listening['url'] ?? '').port));
  const env = {
    PATH: '/usr/local/bin:/usr/bin:/bin',
    HOME: dir,
    RCLONE_CONFIG: join(dir, 'rclone.conf'),
    RCLONE_CA_CERT: caOf(world),
  };
  try {
    await writeFile(join(dir, 'rclone.conf'), '');
    await mkdir(join(dir, 'course'));
    const [accountFile] = await readdir(join(world.system.runDir, 'credentials'));
    const bearer = await secretOf(world, 'provider_token');
    const startedAt = performance.now();
    const left = filesOf(course);
    const download = async (): Promise<void> => {
      for (let file = left.pop(); file !== undefined; file = left.pop())
        await run(
          'rclone',
          [
            'copyurl',
            addressOf(world, course, file),
            join(dir, 'course', file),
            '--header',
            `Authorization: Bearer ${bearer}`,
          ],
          { env, timeout: RUN_LIMIT_MS },
        );
    };
    await Promise.all(Array.from({ length: RCLONE_AT_ONCE }, download));
    await run(
      'rclone',
      [
        'copy',
        join(dir, 'course'),
        'drive:course',
        '--transfers',
        String(RCLONE_AT_ONCE),
        '--drive-pacer-min-sleep',
        '1ms',
      ],
      {
        timeout: RUN_LIMIT_MS,
        env: {
          ...env,
          HTTPS_PROXY: proxy.url,
          RCLONE_CONFIG_DRIVE_TYPE: 'drive',
          RCLONE_CONFIG_DRIVE_SCOPE: 'drive',
          RCLONE_CONFIG_DRIVE_SERVICE_ACCOUNT_FILE: join(world.system.runDir, 'credentials', accountFile ?? ''),
          RCLONE_CONFIG_DRIVE_TEAM_DRIVE: SHARED_DRIVE_ID,
        },
      },
    );
    return (performance.now() - startedAt) / 1_000;
  } finally {
    await proxy.stop();
    await rm(dir, { recursive: true, force: true });
  }
}

/** The same bytes through nothing but a pipe, into an upload session of the same Drive; in seconds. */
export async function barePipe({ world, agent }: Outside, course: string, bytes: number): Promise<number> {
  const [accountFile] = await readdir(join(world.system.runDir, 'credentials'));
  const account = JSON.parse(
    await readFile(join(world.system.runDir, 'credentials', accountFile ?? ''), 'utf8'),
  ) as Parameters<typeof signAssertion>[0];
  const form = new URLSearchParams({
    grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
    assertion: signAssertion(account, {}),
  });
  const granted = await fetch(`${world.system.googleUrl}/token`, { method: 'POST', body: form, dispatcher: agent });
  const { access_token: token } = (await granted.json()) as { access_token: string };
  const session = await fetch(
    `${world.system.googleUrl}/upload/drive/v3/files?uploadType=resumable&supportsAllDrives=true`,
    {
      method: 'POST',
      dispatcher: agent,
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        'x-upload-content-length': String(bytes),
      },
      body: JSON.stringify({ name: 'bare', parents: [SHARED_DRIVE_ID] }),
    },
  );
  const location = session.headers.get('location') ?? '';
  const bearer = await secretOf(world, 'provider_token');
  const ca = caOf(world);
  const startedAt = performance.now();
  const from = spawn(
    'curl',
    ['-sS', '--fail', '--cacert', ca, '-H', `Authorization: Bearer ${bearer}`, addressOf(world, course, 'video.bin')],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  const to = spawn(
    'curl',
    [
      '-sS',
      '--fail',
      '--cacert',
      ca,
      '-o',
      '/dev/null',
      '-T',
      '-',
      '-H',
      'Transfer-Encoding:',
      '-H',
      `Content-Length: ${bytes}`,
      location,
    ],
    {
      stdio: [from.stdout, 'ignore', 'inherit'],
    },
  );
  const [[fromCode], [toCode]] = await Promise.all([once(from, 'exit'), once(to, 'exit')]);
  if (fromCode !== 0 || toCode !== 0) throw new Error(`curl ended with ${fromCode} and ${toCode}`);
  return (performance.now() - startedAt) / 1_000;
}

export async function startRcloneGoogle(world: World): Promise<Started> {
  return await startProcess({
    name: 'rclone-google',
    script: join(root, 'sandbox/google/main.ts'),
    logPath: join(world.system.runDir, 'logs', 'rclone-google.log'),
    env: {
      // rclone knows Google's own names only, and follows the session's address.
      PUBLIC_URL: 'https://www.googleapis.com',
      SANDBOX_TLS_DIR: join(world.system.runDir, 'tls'),
      SANDBOX_CREDENTIALS_DIR: join(world.system.runDir, 'credentials'),
      SANDBOX_DISCARD: '1',
      SANDBOX_SHARED_DRIVE_ID: SHARED_DRIVE_ID,
    },
  });
}
