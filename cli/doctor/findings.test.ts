import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { engineFinding } from './api.ts';
import { engineAt } from './docker.ts';
import { clockFinding } from './finding.ts';
import { checkSecrets, fileFinding } from './secrets.ts';

test.each([
  [0, 'ok'],
  [1_999, 'ok'],
  [-2_000, 'warn'],
  [59_999, 'warn'],
  [-60_000, 'fail'],
])('a clock that is %d ms off is %s', (skewMs, status) => {
  expect(clockFinding('clock', skewMs).status).toBe(status);
});

test.each([
  [0o100600, 1, false, 'ok'],
  [0o100640, 1, false, 'fail'],
  [0o100644, 1, true, 'ok'],
  [0o100600, 366, true, 'warn'],
] as const)(
  'a secret of mode %o, %d days old, in a folder that is guarded or not (%s), is %s',
  (mode, days, guarded, status) => {
    expect(fileFinding('x', mode, days, guarded).status).toBe(status);
  },
);

test('a folder is looked at without its hidden files; one that is not there is said', () => {
  const dir = mkdtempSync(join(tmpdir(), 'lading-doctor-'));
  try {
    writeFileSync(join(dir, 'key'), 'never shown', { mode: 0o600 });
    writeFileSync(join(dir, '.gitignore'), '*');
    const findings = checkSecrets(dir);
    expect(findings.map(({ check, status }) => [check, status])).toEqual([
      ['secrets folder', 'ok'],
      ['secret key', 'ok'],
    ]);
    expect(JSON.stringify(findings)).not.toContain('never shown');
    expect(checkSecrets(join(dir, 'nowhere'))).toMatchObject([{ status: 'warn' }]);
  } finally {
    rmSync(dir, { recursive: true });
  }
});

const GIB = 1024 ** 3;
const engine = {
  name: 'one',
  slots: 4,
  slotsUsed: 1,
  launching: 0,
  launchesMax: 4,
  memoryBytes: GIB,
  memoryUsed: 0,
  diskFreeBytes: 10 * GIB,
  diskFloorBytes: 2 * GIB,
  quarantinedAt: null,
  quarantineReason: null,
  drainedAt: null,
  drainReason: null,
};
test.each([
  [{}, 'ok'],
  [{ diskFreeBytes: null }, 'ok'],
  [{ diskFreeBytes: 3 * GIB }, 'warn'],
  [{ diskFreeBytes: GIB }, 'fail'],
  [{ drainedAt: 'x', drainReason: 'reboot' }, 'warn'],
  [{ quarantinedAt: 'x', quarantineReason: 'silent' }, 'fail'],
])('an engine with %j is %s', (changes, status) => {
  expect(engineFinding({ ...engine, ...changes }).status).toBe(status);
});

test.each([
  ['unix:///var/run/docker.sock', { socketPath: '/var/run/docker.sock' }],
  ['tcp://127.0.0.1:2375', { host: '127.0.0.1', port: '2375' }],
  ['ssh://host', undefined],
])('an engine at %s is asked there', (host, at) => {
  expect(engineAt(host)).toEqual(at);
});
