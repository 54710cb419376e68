import { describe, expect, test } from '@jest/globals';
import type { SelfReport } from '../job-image/contract/messages.ts';
import { containerSpec } from './container-spec.ts';
import { hardeningMismatches, type InspectedContainer } from './hardening.ts';
import { makeProfiles } from './profiles.ts';

const limits = makeProfiles({}).get('standard');
if (!limits) throw new Error('no standard profile');
const spec = containerSpec({
  installation: 'test',
  engine: 'local',
  use: { jobId: 'job', attemptId: 'attempt', attemptNumber: 1 },
  profile: 'standard',
  limits,
  image: `sha256:${'0'.repeat(64)}`,
  egressDir: '/run/lading/egress',
});

const inspected = (change: Partial<InspectedContainer['HostConfig']> = {}): InspectedContainer => ({
  Image: spec.body.Image,
  Config: { User: spec.body.User },
  HostConfig: { ...spec.body.HostConfig, CapAdd: null, Binds: null, Devices: [], ...change },
  Mounts: [{ Type: 'bind', Destination: '/run/egress', RW: false }],
});
const asAsked: SelfReport = {
  uid: 10_001,
  gid: 10_001,
  capEff: '0000000000000000',
  capBnd: '0000000000000000',
  noNewPrivs: true,
  seccomp: 2,
  rootReadOnly: true,
  interfaces: ['lo'],
  memoryLimitBytes: limits.memoryBytes,
  pidsLimit: limits.pids,
  secretsMount: 'tmpfs rw,nosuid,nodev,noexec,relatime,size=1024k,mode=700,uid=10001,gid=10001',
};

describe('a container gets its secrets only if it is as asked', () => {
  test('as asked: nothing to say', () => {
    expect(hardeningMismatches(spec, inspected(), asAsked)).toEqual([]);
  });

  test.each<[string, Partial<InspectedContainer['HostConfig']>]>([
    ['a daemon without swap limit', { MemorySwap: -1 }],
    ['a writable root', { ReadonlyRootfs: false }],
    ['capabilities kept', { CapDrop: [] }],
    ['a capability added', { CapAdd: ['NET_RAW'] }],
    ['a network', { NetworkMode: 'bridge' }],
    ['privileged', { Privileged: true }],
    ['a device', { Devices: [{ PathOnHost: '/dev/sda' }] }],
    ['a pids limit that did not take', { PidsLimit: null }],
    ['host user namespace', { UsernsMode: 'host' }],
  ])('refused by inspect: %s', (_, change) => {
    expect(hardeningMismatches(spec, inspected(change), asAsked)).toHaveLength(1);
  });

  test('refused by inspect: a second mount, or a writable one', () => {
    const more = inspected();
    more.Mounts?.push({ Type: 'volume', Destination: '/data', RW: true });
    expect(hardeningMismatches(spec, more, asAsked)).toHaveLength(1);
    const writable = { ...inspected(), Mounts: [{ Type: 'bind', Destination: '/run/egress', RW: true }] };
    expect(hardeningMismatches(spec, writable, asAsked)).toHaveLength(1);
  });

  test.each<[string, Partial<SelfReport>]>([
    ['runs as root', { uid: 0 }],
    ['has capabilities', { capEff: '00000000a80425fb' }],
    ['could gain capabilities', { capBnd: '00000000a80425fb' }],
    ['may gain privileges', { noNewPrivs: false }],
    ['no seccomp filter', { seccomp: 0 }],
    ['writable root', { rootReadOnly: false }],
    ['a network interface', { interfaces: ['lo', 'eth0'] }],
    ['a memory limit that did not take', { memoryLimitBytes: null }],
    ['another pids limit', { pidsLimit: 1_000 }],
    ['secrets on disk', { secretsMount: 'ext4 rw,relatime' }],
    ['executable secrets', { secretsMount: 'tmpfs rw,nosuid,nodev' }],
  ])('refused from inside: %s', (_, change) => {
    expect(hardeningMismatches(spec, inspected(), { ...asAsked, ...change })).toHaveLength(1);
  });
});

test('the create body holds no secret: nothing in it depends on one', () => {
  expect(JSON.stringify(spec)).not.toMatch(/token|whsec|bearer|password/i);
});
