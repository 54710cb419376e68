/**
 * A course from its provider to Drive: the job's container against what it replaces (download to disk with rclone, then
 * upload with rclone), both over links of the same speed; and without limits against a bare `curl | curl`. Both sides
 * talk to the same stand-ins. The job's time is from its envelope to its accepted manifest.
 */
import { mkdir, mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Agent, fetch } from 'undici';
import {
  barePipe,
  downloadThenUpload,
  RUN_LIMIT_MS,
  secretOf,
  SMALL_FILES,
  startRcloneGoogle,
  type Outside,
} from './transfer-peers.ts';
import { until } from './until.ts';
import { watchContainer, type Sample } from './watch-container.ts';
import { addCourse, jobImageId, say, startWorld } from './world.ts';

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;
/** Of each of the two links, in bytes a second. */
const LINK_BYTES_PER_SECOND = 25 * MIB;
const SMALL_BYTES = 100_000;
const SMALL_LATENCY_MS = 40;

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
