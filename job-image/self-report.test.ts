import { describe, expect, test } from '@jest/globals';
import { selfReportSchema } from './contract/messages.ts';
import { parseSelfReport, readSelfReport, type SelfTexts } from './self-report.ts';

const STATUS = `Name:\tnode
Umask:\t0022
State:\tR (running)
Tgid:\t7
Pid:\t7
PPid:\t1
Uid:\t10001\t10001\t10001\t10001
Gid:\t10001\t10001\t10001\t10001
FDSize:\t64
Groups:\t10001
CapInh:\t0000000000000000
CapPrm:\t0000000000000000
CapEff:\t0000000000000000
CapBnd:\t0000000000000000
CapAmb:\t0000000000000000
NoNewPrivs:\t1
Seccomp:\t2
Seccomp_filters:\t1
`;
const NET_DEV = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:       0       0    0    0    0     0          0         0        0       0    0    0    0     0       0          0
`;
const MOUNTS = `overlay / overlay ro,relatime,lowerdir=/l/A:/l/B,upperdir=/u,workdir=/w 0 0
proc /proc proc rw,nosuid,nodev,noexec,relatime 0 0
tmpfs /dev tmpfs rw,nosuid,size=65536k,mode=755 0 0
tmpfs /run/secrets tmpfs rw,nosuid,nodev,noexec,relatime,size=1024k,mode=700,uid=10001,gid=10001 0 0
/dev/sda1 /run/egress ext4 ro,relatime 0 0
`;
const TEXTS: SelfTexts = {
  status: STATUS,
  netDev: NET_DEV,
  mounts: MOUNTS,
  memoryLimit: '536870912\n',
  pidsLimit: '64\n',
};
const report = (change: Partial<SelfTexts> = {}) => parseSelfReport({ ...TEXTS, ...change }, '/run/secrets');

describe('parseSelfReport', () => {
  test('reads a hardened container', () => {
    expect(report()).toEqual({
      uid: 10_001,
      gid: 10_001,
      capEff: '0000000000000000',
      capBnd: '0000000000000000',
      noNewPrivs: true,
      seccomp: 2,
      rootReadOnly: true,
      interfaces: ['lo'],
      memoryLimitBytes: 536_870_912,
      pidsLimit: 64,
      secretsMount: 'tmpfs rw,nosuid,nodev,noexec,relatime,size=1024k,mode=700,uid=10001,gid=10001',
    });
  });

  test.each([
    ['max\n', null],
    ['9223372036854771712\n', null],
    [undefined, null],
    ['', null],
    ['-1', null],
    ['268435456', 268_435_456],
  ])('a memory limit of %j is %s', (memoryLimit, expected) => {
    expect(report({ memoryLimit }).memoryLimitBytes).toBe(expected);
  });

  test('sees each interface, also where its name touches its counters', () => {
    const netDev = `${NET_DEV}  eth0:123456789 1 0 0\nveth-1@if2: 0 0\n`;
    expect(report({ netDev }).interfaces).toEqual(['lo', 'eth0', 'veth-1@if2']);
  });

  test('a root that was mounted again over the first is judged by the later one', () => {
    expect(report({ mounts: `${MOUNTS}overlay / overlay rw,relatime 0 0\n` }).rootReadOnly).toBe(false);
  });

  test('where nothing can be read, nothing is proven', () => {
    const empty = report({ status: '', netDev: '', mounts: '' });
    expect(empty).toMatchObject({
      uid: -1,
      capEff: '',
      noNewPrivs: false,
      seccomp: -1,
      rootReadOnly: false,
      secretsMount: '',
    });
    expect(selfReportSchema.safeParse(empty).success).toBe(true);
  });
});

test('readSelfReport tells of this very process', async () => {
  const self = await readSelfReport('/run/secrets');
  expect(selfReportSchema.parse(self)).toEqual(self);
  expect(self).toMatchObject({ uid: process.getuid?.(), gid: process.getgid?.() });
  expect(self.interfaces).toContain('lo');
});
