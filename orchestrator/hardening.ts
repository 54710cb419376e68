/**
 * Was the container made as asked? Compares the create body with what the engine reports and with what the job sees of
 * itself, before any secret is sent: a daemon may accept a limit and ignore it. Pure.
 */
import type { SelfReport } from '../job-image/contract/messages.ts';
import { JOB_UID } from '../job-image/contract/paths.ts';
import type { ContainerSpec } from './container-spec.ts';

/** The parts of Docker's inspect answer that are compared. */
export type InspectedContainer = {
  Image: string;
  Config: { User?: string; Labels?: Record<string, string>; Env?: string[] };
  HostConfig: Record<string, unknown>;
  Mounts?: { Type: string; Source?: string; Destination: string; RW: boolean }[];
};

const COMPARED_AS_ASKED = [
  'ReadonlyRootfs',
  'Privileged',
  'CapDrop',
  'SecurityOpt',
  'NetworkMode',
  'IpcMode',
  'PidMode',
  'Init',
  'AutoRemove',
  'Memory',
  'MemorySwap',
  'NanoCpus',
  'CpuShares',
  'PidsLimit',
  'Tmpfs',
] as const;

const MUST_BE_EMPTY = ['CapAdd', 'Binds', 'Devices', 'DeviceRequests', 'VolumesFrom', 'Links', 'UsernsMode'] as const;

const isEmpty = (value: unknown): boolean =>
  value === undefined || value === null || value === '' || (Array.isArray(value) && value.length === 0);
const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

function inspectMismatches(spec: ContainerSpec, seen: InspectedContainer): string[] {
  const asked = spec.body.HostConfig;
  const [bind] = asked.Mounts;
  const mounts = (seen.Mounts ?? []).filter((mount) => mount.Type !== 'tmpfs');
  return [
    ...COMPARED_AS_ASKED.filter((key) => !same(asked[key], seen.HostConfig[key])).map(
      (key) => `${key}: asked ${JSON.stringify(asked[key])}, got ${JSON.stringify(seen.HostConfig[key])}`,
    ),
    ...MUST_BE_EMPTY.filter((key) => !isEmpty(seen.HostConfig[key])).map((key) => `${key} is not empty`),
    ...(seen.Config.User === spec.body.User ? [] : [`User: ${seen.Config.User}`]),
    ...(mounts.length === 1 && mounts[0]?.Destination === bind.Target && !mounts[0].RW
      ? []
      : [`mounts: ${JSON.stringify(mounts.map((mount) => mount.Destination))}`]),
  ];
}

function selfMismatches(spec: ContainerSpec, self: SelfReport): string[] {
  const { HostConfig } = spec.body;
  const noCapability = /^0+$/;
  const checks: [boolean, string][] = [
    [self.uid === JOB_UID && self.gid === JOB_UID, `runs as ${self.uid}:${self.gid}`],
    [noCapability.test(self.capEff) && noCapability.test(self.capBnd), `capabilities ${self.capEff}/${self.capBnd}`],
    [self.noNewPrivs, 'no-new-privileges is off'],
    [self.seccomp === 2, `seccomp mode ${self.seccomp}`],
    [self.rootReadOnly, 'root file system is writable'],
    [self.interfaces.every((name) => name === 'lo'), `network interfaces ${self.interfaces.join(',')}`],
    [self.memoryLimitBytes === HostConfig.Memory, `memory limit ${self.memoryLimitBytes}`],
    [self.pidsLimit === HostConfig.PidsLimit, `pids limit ${self.pidsLimit}`],
    [
      ['tmpfs', 'noexec', 'nosuid', 'nodev'].every((word) => self.secretsMount.split(/[\s,]+/).includes(word)),
      `secrets mount ${self.secretsMount}`,
    ],
  ];
  return checks.filter(([holds]) => !holds).map(([, what]) => `from inside: ${what}`);
}

/** One line for everything that is not as asked; empty when the container may have its secrets. */
export const hardeningMismatches = (spec: ContainerSpec, seen: InspectedContainer, self: SelfReport): string[] => [
  ...inspectMismatches(spec, seen),
  ...selfMismatches(spec, self),
];
