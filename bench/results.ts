/** What a figure is worth depends on where it was measured: every result is kept with its machine and versions. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';

const dir = fileURLToPath(new URL('results', import.meta.url));
const MIB = 1024 * 1024;

const said = (command: string, ...args: string[]): string => {
  try {
    return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return 'unknown';
  }
};

export type Surroundings = ReturnType<typeof surroundings>;

/** To be asked before the measurement, so that the load is what others cause. */
export const surroundings = (dockerHost: string) => ({
  at: new Date().toISOString(),
  machine: {
    cpus: cpus().length,
    cpu: cpus()[0]?.model ?? 'unknown',
    memoryMib: Math.round(totalmem() / MIB),
    kernel: release(),
    loadBefore: loadavg(),
  },
  versions: {
    commit: said('git', 'describe', '--always', '--dirty'),
    node: process.version,
    docker: said('docker', '--host', dockerHost, 'version', '--format', '{{.Server.Version}}'),
  },
});

/** Writes bench/results/BENCH-TIME.json and answers its path. */
export function keepResult(bench: string, around: Surroundings, result: object): string {
  mkdirSync(dir, { recursive: true });
  const path = `${dir}/${bench}-${around.at.replaceAll(/[:.]/g, '-')}.json`;
  writeFileSync(path, `${JSON.stringify({ bench, ...around, loadAfter: loadavg(), result }, null, 2)}\n`);
  return path;
}
