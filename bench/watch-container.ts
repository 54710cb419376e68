/** What a container uses while it runs: its memory's high-water mark, and what it writes. */
import { execFile } from 'node:child_process';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

const SAMPLE_EVERY_MS = 100;
const run = promisify(execFile);

export type Sample = { peakBytes: number; scratchBytes: number };

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
export async function watchContainer(id: string): Promise<Sample> {
  const pid = (await run('docker', ['inspect', '--format', '{{.State.Pid}}', id])).stdout.trim();
  const seen = { peakBytes: 0, scratchBytes: 0 };
  for (let peak = await peakOf(id); peak > 0; peak = await peakOf(id)) {
    seen.peakBytes = Math.max(seen.peakBytes, peak);
    seen.scratchBytes = Math.max(seen.scratchBytes, await bytesBelow(`/proc/${pid}/root/tmp`));
    await sleep(SAMPLE_EVERY_MS);
  }
  return seen;
}
