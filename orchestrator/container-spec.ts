/**
 * What a job container is: from an attempt and its limits to the body of Docker's create call. Pure. Holds no secret;
 * those go over stdin (CIS Docker Benchmark §5 is the list behind the options).
 */
import { EGRESS_DIR, JOB_UID, SECRETS_DIR } from '../job-image/contract/paths.ts';
import { DAEMON_LOG_FILE_MIB, DAEMON_LOG_FILES } from './logs/limits.ts';
import type { Limits } from './profiles.ts';

export const LABEL = {
  installation: 'vn.lading.installation',
  engine: 'vn.lading.engine',
  job: 'vn.lading.job',
  attempt: 'vn.lading.attempt',
  attemptNumber: 'vn.lading.attempt-number',
  /** On containers made ahead: the orchestrator they wait for. */
  standby: 'vn.lading.standby',
  profile: 'vn.lading.profile',
} as const;

const SECRETS_BYTES = 1024 * 1024;

/** How far Node's heap may grow; the rest of the memory limit is for buffers, threads and code. */
const HEAP_SHARE = 0.5;

/** What a container is made for: one attempt, or to wait for one. */
export type ContainerUse =
  { jobId: string; attemptId: string; attemptNumber: number } | { standbyOf: string; id: string };

const nameOf = (installation: string, use: ContainerUse): string =>
  'standbyOf' in use ? `lading-${installation}-standby-${use.id}` : `lading-${installation}-${use.attemptId}`;

const labelsOf = (use: ContainerUse): Record<string, string> =>
  'standbyOf' in use
    ? { [LABEL.standby]: use.standbyOf }
    : {
        [LABEL.job]: use.jobId,
        [LABEL.attempt]: use.attemptId,
        [LABEL.attemptNumber]: String(use.attemptNumber),
      };

export type ContainerSpec = ReturnType<typeof containerSpec>;

export function containerSpec(options: {
  installation: string;
  engine: string;
  use: ContainerUse;
  profile: string;
  limits: Limits;
  /** Image id or repository digest, never a tag. */
  image: string;
  /** The host's folder with the egress socket. */
  egressDir: string;
}) {
  const { limits } = options;
  const owned = `uid=${JOB_UID},gid=${JOB_UID}`;
  const heapMib = Math.floor((limits.memoryBytes * HEAP_SHARE) / (1024 * 1024));
  return {
    name: nameOf(options.installation, options.use),
    body: {
      Image: options.image,
      User: `${JOB_UID}:${JOB_UID}`,
      Hostname: 'job',
      Env: [`NODE_OPTIONS=--max-old-space-size=${heapMib}`],
      Labels: {
        [LABEL.installation]: options.installation,
        [LABEL.engine]: options.engine,
        [LABEL.profile]: options.profile,
        ...labelsOf(options.use),
      },
      OpenStdin: true,
      StdinOnce: true,
      AttachStdin: true,
      AttachStdout: true,
      AttachStderr: true,
      Tty: false,
      NetworkDisabled: true,
      StopSignal: 'SIGTERM',
      StopTimeout: limits.graceSeconds,
      HostConfig: {
        ReadonlyRootfs: true,
        Privileged: false,
        CapDrop: ['ALL'],
        SecurityOpt: ['no-new-privileges:true'],
        NetworkMode: 'none',
        IpcMode: 'private',
        PidMode: '',
        Init: true,
        AutoRemove: false,
        RestartPolicy: { Name: 'no' },
        Memory: limits.memoryBytes,
        MemorySwap: limits.memoryBytes,
        NanoCpus: limits.nanoCpus,
        CpuShares: limits.cpuShares,
        PidsLimit: limits.pids,
        OomScoreAdj: 500,
        Ulimits: [
          { Name: 'nofile', Soft: limits.openFiles, Hard: limits.openFiles },
          { Name: 'core', Soft: 0, Hard: 0 },
        ],
        Tmpfs: {
          [SECRETS_DIR]: `rw,noexec,nosuid,nodev,size=${SECRETS_BYTES},mode=0700,${owned}`,
          '/tmp': `rw,noexec,nosuid,nodev,size=${limits.tmpBytes},mode=0700,${owned}`,
        },
        Mounts: [
          {
            Type: 'bind',
            Source: options.egressDir,
            Target: EGRESS_DIR,
            ReadOnly: true,
            BindOptions: { Propagation: 'rprivate' },
          },
        ],
        LogConfig: {
          Type: 'json-file',
          Config: { 'max-size': `${DAEMON_LOG_FILE_MIB}m`, 'max-file': String(DAEMON_LOG_FILES) },
        },
      },
    },
  } as const;
}
