/**
 * A course from its provider to Drive: the job's container against what it replaces (download to disk with rclone, then
 * upload with rclone), both over links of the same speed; and without limits against a bare `curl | curl`. Both sides
 * talk to the same stand-ins. The job's time is from its envelope to its accepted manifest.
 */
import { execFile, spawn } from 'node:child_process';
import { mkdir, mkdtemp, open, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Agent, fetch } from 'undici';
import { startAsGoogleapis } from '../sandbox/google/as-googleapis.ts';
import { signAssertion } from '../sandbox/google/start-google.ts';
import { startProcess, type Started } from '../sandbox/process.ts';
import { until } from './until.ts';
import { addCourse, jobImageId, say, startWorld, type World } from './world.ts';

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;
/** Of each of the two links, in bytes a second. */
const LINK_BYTES_PER_SECOND = 25 * MIB;
const SMALL_FILES = 1_000;
const SMALL_BYTES = 100_000;
const SMALL_LATENCY_MS = 40;
/** As many as a job carries at once. */
const RCLONE_AT_ONCE = 4;
const RUN_LIMIT_MS = 30 * 60_000;
const SAMPLE_EVERY_MS = 100;
const SHARED_DRIVE_ID = '0ALadingSandboxDrive';

const run = promisify(execFile);
const root = fileURLToPath(new URL('..', import.meta.url));
const rounded = (value: number, digits = 3): number => Number(value.toFixed(digits));

async function makeCourses(dir: string, gigabytes: number): Promise<void> {
  for (const [name, bytes] of [
    ['one', GIB],
    ['long', gigabytes * GIB],
  ] as const) {
    await mkdir(join(dir, name));
    // Nothing is read from the disk, so that what is measured is the way and not the disk.
    const file = await open(join(dir, name, 'video.bin'), 'w');
    await file.truncate(bytes);
    await file.close();
  }
  await mkdir(join(dir, 'many'));
  for (let i = 0; i < SMALL_FILES; i += 1)
    await writeFile(join(dir, 'many', `${i}.bin`), Buffer.alloc(SMALL_BYTES, `file ${i} `));
}

type Link = { bytesPerSecond?: number; latencyMs?: number };
type Outside = { world: World; agent: Agent; rcloneGoogle: Started };

/** Gives the links to the provider and to Drive, for both sides, these properties and no other. */
async function setLinks({ world, agent, rcloneGoogle }: Outside, link: Link): Promise<void> {
  for (const url of [world.system.providerUrl, world.system.googleUrl, rcloneGoogle.listening['url'] ?? '']) {
    await fetch(`${url}/sandbox/faults`, { method: 'DELETE', dispatcher: agent });
    if (Object.keys(link).length === 0) continue;
    const answer = await fetch(`${url}/sandbox/faults`, {
      method: 'POST',
      dispatcher: agent,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ match: { path: '^/(courses|upload|drive)/' }, ...link }),
    });
    if (!answer.ok) throw new Error(`${url} answered ${answer.status} to a link's properties`);
  }
}

type Sample = { peakBytes: number; scratchBytes: number };

async function numberIn(path: string): Promise<number | undefined> {
  return await readFile(path, 'utf8').then(Number, () => undefined);
}
/** The high-water mark of a container's memory, as its control group (v1 or v2) keeps it. */
const peakOf = async (id: string): Promise<number> =>
  (await numberIn(`/sys/fs/cgroup/memory/docker/${id}/memory.max_usage_in_bytes`)) ??
  (await numberIn(`/sys/fs/cgroup/system.slice/docker-${id}.scope/memory.peak`)) ??
  (await numberIn(`/sys/fs/cgroup/docker/${id}/memory.peak`)) ??
  0;

async function bytesBelow(dir: string): Promise<number> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true }).catch(() => []);
  const sizes = entries
    .filter((entry) => entry.isFile())
    .map((entry) =>
      stat(join(entry.parentPath, entry.name)).then(
        ({ size }) => size,
        () => 0,
      ),
    );
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

/** Looks at a running container until it is gone. */
async function watchContainer(id: string): Promise<Sample> {
  const pid = (await run('docker', ['inspect', '--format', '{{.State.Pid}}', id])).stdout.trim();
  const seen = { peakBytes: 0, scratchBytes: 0 };
  for (let peak = await peakOf(id); peak > 0; peak = await peakOf(id)) {
    seen.peakBytes = Math.max(seen.peakBytes, peak);
    seen.scratchBytes = Math.max(seen.scratchBytes, await bytesBelow(`/proc/${pid}/root/tmp`));
    await sleep(SAMPLE_EVERY_MS);
  }
  return seen;
}

/** Orders the course and waits for its manifest; in seconds, with what its container used. */
async function ours({ world }: Outside, course: string): Promise<Sample & { seconds: number }> {
  const order = await world.customer.order(course, 'customer@shop.example');
  await world.bank.pay(order);
  const find = async () => {
    const { rows } = await world.pool.query<{ container_id: string; outcome: string | null; seconds: number | null }>(
      `SELECT a.container_id, a.outcome, extract(epoch FROM a.finalized_at - a.running_at)::float8 AS seconds
       FROM attempts a JOIN jobs j ON j.id = a.job_id JOIN orders o ON o.id = j.order_id
       WHERE o.code = $1::text AND a.running_at IS NOT NULL ORDER BY a.n DESC LIMIT 1`,
      [order.code],
    );
    return rows[0];
  };
  const running = await until('the job runs', RUN_LIMIT_MS, find);
  const watching = watchContainer(running.container_id);
  const ended = await until('the job has ended', RUN_LIMIT_MS, async () => {
    const attempt = await find();
    return attempt?.outcome ? attempt : undefined;
  });
  if (ended.outcome !== 'succeeded' || ended.seconds === null) throw new Error(`the job ended as ${ended.outcome}`);
  return { seconds: ended.seconds, ...(await watching) };
}

const filesOf = (course: string): string[] =>
  course === 'many' ? Array.from({ length: SMALL_FILES }, (_, i) => `${i}.bin`) : ['video.bin'];
const addressOf = (world: World, course: string, file: string): string =>
  `${world.system.providerUrl}/courses/${course}/files/${file}`;
const secretOf = (world: World, name: string): Promise<string> =>
  readFile(join(world.system.runDir, 'secrets', name), 'utf8');
const caOf = (world: World): string => join(world.system.runDir, 'tls/ca.pem');

/** Downloads to disk, then uploads from there; in seconds. */
async function downloadThenUpload(outside: Outside, course: string): Promise<number> {
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
async function barePipe({ world, agent }: Outside, course: string, bytes: number): Promise<number> {
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

async function startRcloneGoogle(world: World): Promise<Started> {
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

export async function benchTransfer(options: { gigabytes: number; dockerHost: string }) {
  const coursesDir = await mkdtemp(join(tmpdir(), 'lading-bench-courses-'));
  await makeCourses(coursesDir, options.gigabytes);
  const world = await startWorld({
    jobImage: jobImageId(),
    dockerHost: options.dockerHost,
    coursesDir,
    env: { google: { SANDBOX_DISCARD: '1' } },
  });
  const agent = new Agent({ connect: { ca: world.system.caPem } });
  const rcloneGoogle = await startRcloneGoogle(world);
  const outside = { world, agent, rcloneGoogle };
  try {
    for (const course of ['one', 'many', 'long']) {
      await addCourse(world, { id: course, of: course });
      // The stand-in reads and hashes a course once, for its manifest; that is not what is measured.
      say(`preparing ${course}`);
      const bearer = await secretOf(world, 'provider_token');
      const manifest = await fetch(`${world.system.providerUrl}/courses/${course}/manifest.json`, {
        dispatcher: agent,
        headers: { authorization: `Bearer ${bearer}` },
        signal: AbortSignal.timeout(RUN_LIMIT_MS),
      });
      await manifest.arrayBuffer();
    }
    const compare = async (course: string, link: Link) => {
      await setLinks(outside, link);
      const mine = await ours(outside, course);
      const peer = await downloadThenUpload(outside, course);
      say(`${course}: the job ${rounded(mine.seconds, 1)} s, download then upload ${rounded(peer, 1)} s`);
      return { mine, peer, ratio: rounded(peer / mine.seconds) };
    };
    const one = await compare('one', { bytesPerSecond: LINK_BYTES_PER_SECOND });
    const many = await compare('many', { bytesPerSecond: LINK_BYTES_PER_SECOND, latencyMs: SMALL_LATENCY_MS });
    await setLinks(outside, {});
    const bytes = options.gigabytes * GIB;
    const pipe = await barePipe(outside, 'long', bytes);
    const long = await ours(outside, 'long');
    say(`long: the job ${rounded(long.seconds, 1)} s, a bare pipe ${rounded(pipe, 1)} s`);
    const all = [one.mine, many.mine, long];
    return {
      one_file_ratio: one.ratio,
      many_files_ratio: many.ratio,
      unlimited_ratio: rounded(pipe / long.seconds),
      peak_rss_mb: rounded(Math.max(...all.map(({ peakBytes }) => peakBytes)) / MIB, 1),
      scratch_bytes: Math.max(...all.map(({ scratchBytes }) => scratchBytes)),
      raw: {
        one_file: { bytes: GIB, job_seconds: one.mine.seconds, rclone_seconds: one.peer },
        many_files: {
          files: SMALL_FILES,
          file_bytes: SMALL_BYTES,
          latency_ms: SMALL_LATENCY_MS,
          job_seconds: many.mine.seconds,
          rclone_seconds: many.peer,
        },
        unlimited: { bytes, job_mb_per_second: bytes / long.seconds / 1e6, pipe_mb_per_second: bytes / pipe / 1e6 },
        link_bytes_per_second: LINK_BYTES_PER_SECOND,
        peak_rss_mb: {
          one_file: one.mine.peakBytes / MIB,
          many_files: many.mine.peakBytes / MIB,
          unlimited: long.peakBytes / MIB,
        },
      },
    };
  } finally {
    await rcloneGoogle.stop();
    await agent.close();
    await world.stop();
    await rm(coursesDir, { recursive: true, force: true });
  }
}
