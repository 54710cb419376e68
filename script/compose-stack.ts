/** The stack that compose.yml and compose.sandbox.yml describe, under the project that the environment names. */
import { setTimeout as sleep } from 'node:timers/promises';
import { $, type Duration, type ProcessOutput } from 'zx';
import { z } from 'zod';

const UP_LIMIT = '240s';
const DOWN_LIMIT = '120s';
const CALL_LIMIT = '60s';
const HEALTH_LIMIT_MS = 120_000;
const LOOK_EVERY_MS = 500;
const LOG_TAIL_LINES = 40;

const inspectSchema = z.array(
  z.object({
    Id: z.string(),
    Name: z.string(),
    State: z.object({
      Status: z.string(),
      ExitCode: z.int(),
      Health: z.object({ Status: z.string() }).optional(),
    }),
    Config: z.object({ Labels: z.record(z.string(), z.string()) }),
  }),
);
type Container = z.infer<typeof inspectSchema>[number];

const words = (text: string): string[] => text.split(/\s+/).filter((word) => word !== '');

export function composeStack(environment: {
  command: string;
  project: string;
  installation: string;
  /** Ends what is under way; taking down goes on. */
  interrupted: AbortSignal;
}) {
  const compose = [...words(environment.command), '--file', 'compose.yml', '--file', 'compose.sandbox.yml'];
  const run = (limit: Duration, args: readonly string[]): Promise<ProcessOutput> =>
    $({ quiet: true, timeout: limit, signal: environment.interrupted })`${[...compose, ...args]}`;
  const projectLabel = `label=com.docker.compose.project=${environment.project}`;
  const jobLabel = `label=vn.lading.installation=${environment.installation}`;
  const ids = async (...args: string[]): Promise<string[]> => words((await $({ quiet: true })`docker ${args}`).stdout);

  async function containers(filter: string): Promise<Container[]> {
    const found = await ids('ps', '--all', '--quiet', '--filter', filter);
    if (found.length === 0) return [];
    // One that is removed between the two calls is left out; docker then ends with 1 and lists the others.
    const { stdout } = await $({ quiet: true, nothrow: true })`docker inspect ${found}`;
    return inspectSchema.parse(JSON.parse(stdout));
  }

  return {
    up: (scale: number): Promise<ProcessOutput> =>
      run(UP_LIMIT, ['up', '--detach', '--scale', `orchestrator=${scale}`]),
    /** Resolves when every container that has a health check is healthy. Throws with those that are not at the limit. */
    healthy: async (): Promise<void> => {
      const giveUpAt = Date.now() + HEALTH_LIMIT_MS;
      for (;;) {
        const late = (await containers(projectLabel)).filter(
          ({ State }) => State.Health !== undefined && State.Health.Status !== 'healthy',
        );
        if (late.length === 0) return;
        const dead = late.filter(({ State }) => State.Status !== 'running' && State.Status !== 'restarting');
        if (dead.length > 0 || Date.now() > giveUpAt)
          throw new Error(`not healthy: ${late.map(({ Name, State }) => `${Name} ${State.Status}`).join(', ')}`);
        await sleep(LOOK_EVERY_MS);
      }
    },
    /** `host:port` on this machine. */
    address: async (service: string, port: number): Promise<string> =>
      (await run(CALL_LIMIT, ['port', service, String(port)])).stdout.trim(),
    /** Runs a command of the command line in a container of its own; `mounts` are compose's `-v` values. */
    cli: async (args: readonly string[], mounts: readonly string[] = []): Promise<string> => {
      const volumes = mounts.flatMap((mount) => ['--volume', mount]);
      return (await run(CALL_LIMIT, ['run', '--rm', '-T', ...volumes, 'cli', ...args])).stdout;
    },
    /** Each orchestrator container's name with what it logged, one JSON line each. */
    orchestratorLogs: async (): Promise<{ name: string; lines: string[] }[]> => {
      const all = await containers(projectLabel);
      const orchestrators = all.filter(({ Config }) => Config.Labels['com.docker.compose.service'] === 'orchestrator');
      return await Promise.all(
        orchestrators.map(async ({ Id, Name }) => ({
          name: Name.replace(/^\/?.*?(orchestrator.*)$/, '$1'),
          lines: (await $({ quiet: true })`docker logs ${Id}`).stdout.split('\n'),
        })),
      );
    },
    jobContainers: (): Promise<Container[]> => containers(jobLabel),
    logTail: async (): Promise<string> => {
      const { stdout, stderr } = await $({
        quiet: true,
        nothrow: true,
        timeout: CALL_LIMIT,
      })`${compose} logs --no-color --tail=${LOG_TAIL_LINES}`;
      return stdout + stderr;
    },
    /** Takes everything down and resolves with what stayed nevertheless. May be repeated. */
    down: async (): Promise<string[]> => {
      await $({ quiet: true, nothrow: true, timeout: DOWN_LIMIT })`${compose} down --volumes --remove-orphans`;
      const jobs = await ids('ps', '--all', '--quiet', '--filter', jobLabel);
      if (jobs.length > 0) await $({ quiet: true, nothrow: true })`docker rm --force ${jobs}`;
      return [
        ...jobs.map((id) => `job container ${id}`),
        ...(await ids('ps', '--all', '--quiet', '--filter', projectLabel)).map((id) => `container ${id}`),
        ...(await ids('network', 'ls', '--quiet', '--filter', projectLabel)).map((id) => `network ${id}`),
        ...(await ids('volume', 'ls', '--quiet', '--filter', projectLabel)).map((id) => `volume ${id}`),
      ];
    },
  };
}
export type ComposeStack = ReturnType<typeof composeStack>;
