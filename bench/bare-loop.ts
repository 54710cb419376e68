/**
 * The least a runner can do to have a job run with its secrets: dockerode's create, attach and start, the `ready` line
 * read, the envelope written, the `accepted` line read. No database, no comparison, no log.
 */
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { PassThrough, type Duplex } from 'node:stream';
import Docker from 'dockerode';
import { encodeEnvelope, type Envelope } from '../job-image/contract/envelope.ts';
import { parseJobMessage, type JobMessage } from '../job-image/contract/messages.ts';
import type { ContainerSpec } from '../orchestrator/container-spec.ts';

const MESSAGE_LIMIT_MS = 60_000;

export type BareJob = { spec: ContainerSpec; envelope: Envelope };

const connectTo = (dockerHost: string): Docker => {
  const url = new URL(dockerHost);
  return url.protocol === 'unix:'
    ? new Docker({ socketPath: url.pathname })
    : new Docker({ host: url.hostname, port: url.port, protocol: 'http' });
};

/** From an existing container to one that has accepted its envelope. */
async function handOver(docker: Docker, container: Docker.Container, envelope: Envelope): Promise<void> {
  const options = { stream: true, hijack: true, stdin: true, stdout: true, stderr: true };
  const stdio = (await container.attach(options)) as Duplex;
  const stdout = new PassThrough();
  docker.modem.demuxStream(stdio, stdout, new PassThrough().resume());
  const lines = createInterface(stdout);
  const next = async (): Promise<JobMessage | undefined> => {
    const [line] = (await once(lines, 'line', { signal: AbortSignal.timeout(MESSAGE_LIMIT_MS) })) as [string];
    return parseJobMessage(line);
  };
  const saysReady = next();
  saysReady.catch(() => undefined);
  await container.start();
  const ready = await saysReady;
  if (ready?.lading !== 'ready') throw new Error('the container did not say ready');
  const saysAccepted = next();
  stdio.write(encodeEnvelope(envelope, ready.nonce));
  if ((await saysAccepted)?.lading !== 'accepted') throw new Error('the container did not accept its envelope');
  stdio.destroy();
}

/**
 * Launches every job, `atOnce` at a time, until its container is started or has accepted its envelope. Answers launches a
 * second; the containers are gone when it resolves.
 */
export async function bareLoop(
  dockerHost: string,
  jobs: readonly BareJob[],
  atOnce: number,
  upTo: 'started' | 'accepted',
): Promise<number> {
  const docker = connectTo(dockerHost);
  const containers: Docker.Container[] = [];
  const rest = [...jobs];
  async function loop(): Promise<void> {
    for (let job = rest.shift(); job; job = rest.shift()) {
      const body = { name: job.spec.name, ...job.spec.body } as unknown as Docker.ContainerCreateOptions;
      const container = await docker.createContainer(body);
      containers.push(container);
      if (upTo === 'started') await container.start();
      else await handOver(docker, container, job.envelope);
    }
  }
  const beganAt = performance.now();
  try {
    await Promise.all(Array.from({ length: atOnce }, loop));
    return (jobs.length * 1_000) / (performance.now() - beganAt);
  } finally {
    await Promise.all(containers.map((container) => container.remove({ force: true, v: true })));
  }
}
