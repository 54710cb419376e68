import { execFile } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

const DOCKER_LIMIT_MS = 30_000;
const REMOVAL_PAUSE_MS = 100;

/**
 * Orchestrators hand over and leave containers alone; when nobody is left to take them, they go here. One whose removal
 * was begun before is refused by the daemon until it is gone: asked again until none is left.
 */
export async function removeContainers({
  installation,
  dockerHost,
}: {
  installation: string;
  dockerHost: string;
}): Promise<void> {
  // Not the synchronous call: the engine may be reached through a proxy of this very process.
  const docker = async (...args: string[]): Promise<string> =>
    (await promisify(execFile)('docker', ['--host', dockerHost, ...args], { timeout: DOCKER_LIMIT_MS })).stdout;
  const left = async (): Promise<string[]> => {
    const ids = await docker('ps', '--all', '--quiet', '--filter', `label=vn.lading.installation=${installation}`);
    return ids.split('\n').filter((id) => id !== '');
  };
  const until = Date.now() + DOCKER_LIMIT_MS;
  for (let ids = await left(); ids.length > 0; ids = await left()) {
    const refused = await docker('rm', '--force', ...ids).catch((error: unknown) => error);
    if (refused instanceof Error && Date.now() > until) throw refused;
    if (refused instanceof Error) await sleep(REMOVAL_PAUSE_MS);
  }
}
