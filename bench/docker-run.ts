/** The peer of every dispatch: the docker command on the same engine, with the same image and nothing else asked for. */
import { spawn } from 'node:child_process';

const RUN_LIMIT_MS = 60_000;

function dockerRun(
  dockerHost: string,
  args: readonly string[],
): { firstLine: Promise<number>; whole: Promise<number> } {
  const startedAt = performance.now();
  const since = (): number => performance.now() - startedAt;
  const child = spawn('docker', ['--host', dockerHost, 'run', '--rm', ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: RUN_LIMIT_MS,
  });
  const firstLine = new Promise<number>((resolve) => child.stdout.once('data', () => resolve(since())));
  const whole = new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', () => resolve(since()));
  });
  return { firstLine, whole };
}

/** Milliseconds of `docker run --rm` of a program that does nothing, from the start of the command to its end. */
export const runNothing = (dockerHost: string, image: string): Promise<number> =>
  dockerRun(dockerHost, ['--entrypoint', 'node', image, '--eval', '0']).whole;

/** Milliseconds until the job, which is not given an envelope and ends at once, has printed its first line. */
export async function runToFirstLine(dockerHost: string, image: string): Promise<number> {
  const { firstLine, whole } = dockerRun(dockerHost, [image]);
  const ms = await Promise.race([firstLine, whole.then(() => Promise.reject(new Error('the job printed nothing')))]);
  await whole;
  return ms;
}
