/** What the container sees of itself. Nothing here may import a library: it runs before the first line is printed. */
import { readFile } from 'node:fs/promises';
import type { SelfReport } from './contract/messages.ts';

export type SelfTexts = {
  /** /proc/self/status */
  readonly status: string;
  /** /proc/net/dev */
  readonly netDev: string;
  /** /proc/self/mounts */
  readonly mounts: string;
  /** memory.max of cgroup v2 or memory.limit_in_bytes of v1. */
  readonly memoryLimit: string | undefined;
  /** pids.max, the same in both. */
  readonly pidsLimit: string | undefined;
};

/** From here on a cgroup v1 limit means "none": the kernel prints the largest page-aligned number. */
const NO_LIMIT_BYTES = 2 ** 60;
const INTERFACES_MAX = 64;
const SECRETS_MOUNT_MAX_CHARS = 512;

function limitOf(text: string | undefined): number | null {
  const trimmed = text?.trim() ?? '';
  if (!/^[0-9]+$/.test(trimmed)) return null;
  const limit = Number(trimmed);
  return limit >= NO_LIMIT_BYTES ? null : limit;
}

type Mount = { at: string; type: string; options: string };

/** In order of mounting, so that of two at one place the later one is seen. Blanks in paths are octal in the file. */
const mountsOf = (text: string): Mount[] =>
  text.split('\n').flatMap((line) => {
    const [, at, type, options] = line.split(' ');
    return at === undefined || type === undefined || options === undefined ? [] : [{ at, type, options }];
  });

/** Reads the texts of /proc and the cgroup; a field that is missing comes out as the value that proves nothing. */
export function parseSelfReport(texts: SelfTexts, secretsDir: string): SelfReport {
  const field = (name: string): string => new RegExp(`^${name}:\\s*(\\S+)`, 'm').exec(texts.status)?.[1] ?? '';
  const numberOf = (name: string): number => (field(name) === '' ? -1 : Number(field(name)));
  const mounts = mountsOf(texts.mounts);
  const mountAt = (at: string): Mount | undefined => mounts.findLast((mount) => mount.at === at);
  const secrets = mountAt(secretsDir);
  return {
    uid: numberOf('Uid'),
    gid: numberOf('Gid'),
    capEff: field('CapEff'),
    capBnd: field('CapBnd'),
    noNewPrivs: field('NoNewPrivs') === '1',
    seccomp: numberOf('Seccomp'),
    rootReadOnly: mountAt('/')?.options.split(',').includes('ro') ?? false,
    interfaces: [...texts.netDev.matchAll(/^\s*([^\s:|]+):/gm)]
      .flatMap(([, name]) => name ?? [])
      .slice(0, INTERFACES_MAX),
    memoryLimitBytes: limitOf(texts.memoryLimit),
    pidsLimit: limitOf(texts.pidsLimit),
    secretsMount: secrets === undefined ? '' : `${secrets.type} ${secrets.options}`.slice(0, SECRETS_MOUNT_MAX_CHARS),
  };
}

const readIfThere = (path: string): Promise<string | undefined> => readFile(path, 'utf8').catch(() => undefined);

/** The report of the process that calls it. What cannot be read counts as absent; the reader of the report decides. */
export async function readSelfReport(secretsDir: string): Promise<SelfReport> {
  const [status, netDev, mounts, memoryV2, memoryV1, pidsV2, pidsV1] = await Promise.all(
    [
      '/proc/self/status',
      '/proc/net/dev',
      '/proc/self/mounts',
      '/sys/fs/cgroup/memory.max',
      '/sys/fs/cgroup/memory/memory.limit_in_bytes',
      '/sys/fs/cgroup/pids.max',
      '/sys/fs/cgroup/pids/pids.max',
    ].map(readIfThere),
  );
  return parseSelfReport(
    {
      status: status ?? '',
      netDev: netDev ?? '',
      mounts: mounts ?? '',
      memoryLimit: memoryV2 ?? memoryV1,
      pidsLimit: pidsV2 ?? pidsV1,
    },
    secretsDir,
  );
}
