/** What goes wrong in one run of the fault matrix: drawn from a seed, so that a run can be had again by its number. */
import type { EndReason } from '../contract/exit-codes.ts';
import type { Fault } from './outside.ts';

const MIB = 1024 * 1024;

export type Random = {
  /** From `from` to `to`, both included. */
  whole: (from: number, to: number) => number;
  chance: (probability: number) => boolean;
  one: <T>(of: readonly T[]) => T;
};

/** Mulberry32: small, and the same everywhere. */
export function randomOf(seed: number): Random {
  let state = (seed * 0x9e37_79b9) >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b_79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const whole = (from: number, to: number): number => from + Math.floor(next() * (to - from + 1));
  return { whole, chance: (probability) => next() < probability, one: (of) => of[whole(0, of.length - 1)] as never };
}

/** One kind of trouble, and how a job may end that it was too much for; none: it never is. */
type Kind = { readonly name: string; readonly ends: readonly EndReason[]; readonly make: (random: Random) => Fault };

const CALLS = { path: '^/(drive|upload)/' };
const PUTS = { method: 'PUT', path: '^/upload/' };
const FILES = { method: 'GET', path: '^/(courses/[^/]+/(files|media)|signed)/' };
const SOURCE = { method: 'GET', path: '^/(courses|api-2.0|signed)/' };
const some = (random: Random, most: number) => ({ skip: random.whole(0, 12), times: random.whole(1, most) });

const ON_DRIVE: readonly Kind[] = [
  { name: 'latency', ends: [], make: (r) => ({ match: CALLS, latencyMs: r.whole(1, 60), ...some(r, 10) }) },
  { name: 'bandwidth', ends: [], make: (r) => ({ match: PUTS, bytesPerSecond: r.whole(20, 80) * MIB, ...some(r, 3) }) },
  {
    name: 'rate limit',
    ends: ['drive_unavailable'],
    make: (r) => ({
      match: CALLS,
      ...r.one([
        { status: 429, reason: 'rateLimitExceeded' },
        { status: 403, reason: 'rateLimitExceeded' },
        { status: 403, reason: 'userRateLimitExceeded' },
      ]),
      ...(r.chance(0.1) ? { retryAfter: 1 } : {}),
      ...some(r, 3),
    }),
  },
  {
    name: 'server error',
    ends: ['drive_unavailable'],
    make: (r) => ({ match: CALLS, status: r.one([500, 502, 503, 504]), ...some(r, 3) }),
  },
  {
    name: 'dropped connection',
    ends: ['drive_unavailable'],
    make: (r) => ({ match: PUTS, afterBytes: r.whole(0, 9 * MIB), ...some(r, 4) }),
  },
  {
    name: 'short 308',
    ends: ['drive_unavailable'],
    make: (r) => ({ match: PUTS, shortRange: r.whole(0, 8 * MIB), ...some(r, 4) }),
  },
  {
    name: 'expired session',
    ends: ['drive_unavailable'],
    make: (r) => ({ match: PUTS, status: r.one([404, 410]), reason: 'notFound', ...some(r, 2) }),
  },
  {
    name: 'refused token',
    ends: ['drive_unavailable'],
    make: (r) => ({ match: CALLS, status: 401, reason: 'authError', ...some(r, 1) }),
  },
  {
    name: 'wrong bytes',
    ends: ['checksum_mismatch'],
    make: (r) => ({ match: PUTS, flipByte: r.whole(0, 1_000), ...some(r, 2) }),
  },
];
const ON_DRIVE_FOR_GOOD: readonly Kind[] = [
  {
    name: 'quota',
    ends: ['drive_quota'],
    make: (r) => ({ match: CALLS, status: 403, reason: 'storageQuotaExceeded', skip: r.whole(0, 12) }),
  },
  {
    name: 'no permission',
    ends: ['drive_denied'],
    make: (r) => ({ match: CALLS, status: 403, reason: 'insufficientFilePermissions', skip: r.whole(0, 12) }),
  },
  {
    name: 'away',
    ends: ['drive_unavailable'],
    make: (r) => ({ match: CALLS, status: 503, reason: 'backendError', skip: r.whole(0, 12) }),
  },
];
const ON_PROVIDER: readonly Kind[] = [
  { name: 'latency', ends: [], make: (r) => ({ match: SOURCE, latencyMs: r.whole(1, 60), ...some(r, 10) }) },
  {
    name: 'bandwidth',
    ends: [],
    make: (r) => ({ match: FILES, bytesPerSecond: r.whole(20, 80) * MIB, ...some(r, 3) }),
  },
  {
    name: 'rate limit',
    ends: ['provider_unavailable'],
    make: (r) => ({ match: SOURCE, status: 429, ...(r.chance(0.1) ? { retryAfter: 1 } : {}), ...some(r, 3) }),
  },
  {
    name: 'server error',
    ends: ['provider_unavailable'],
    make: (r) => ({ match: SOURCE, status: r.one([500, 502, 503, 504]), ...some(r, 3) }),
  },
  {
    name: 'dropped connection',
    ends: ['provider_unavailable'],
    make: (r) => ({ match: FILES, afterBytes: r.whole(0, 9 * MIB), ...some(r, 4) }),
  },
  {
    name: 'dropped connection, and short ranges behind it',
    ends: ['provider_unavailable'],
    make: (r) => ({ match: FILES, afterBytes: r.whole(0, 2 * MIB), shortRange: r.whole(1, 4 * MIB), ...some(r, 6) }),
  },
  {
    name: 'other version half-way',
    ends: ['checksum_mismatch'],
    make: (r) => ({ match: FILES, etag: '"another"', afterBytes: r.whole(0, 2 * MIB), ...some(r, 2) }),
  },
];
const ON_PROVIDER_MORE: readonly Kind[] = [
  {
    name: 'packed body',
    ends: ['provider_unavailable', 'checksum_mismatch'],
    make: (r) => ({ match: FILES, encoding: 'gzip', ...some(r, 2) }),
  },
  {
    name: 'body without a length',
    ends: ['provider_unavailable', 'checksum_mismatch'],
    make: (r) => ({
      match: FILES,
      lengthless: r.one(['chunked', 'close']),
      ...(r.chance(0.5) ? { afterBytes: r.whole(0, 2 * MIB) } : {}),
      ...some(r, 3),
    }),
  },
  { name: 'sent on', ends: [], make: (r) => ({ match: SOURCE, redirect: 'self', ...some(r, 3) }) },
];
/** Shows only where something was announced. */
const ON_MANIFEST: readonly Kind[] = [
  {
    name: 'wrong bytes',
    ends: ['checksum_mismatch'],
    make: (r) => ({ match: FILES, flipByte: r.whole(0, 1_000), ...some(r, 2) }),
  },
  {
    name: 'wrong length',
    ends: ['checksum_mismatch'],
    make: (r) => ({ match: FILES, shortBy: r.whole(1, 5_000), ...some(r, 2) }),
  },
];
const ON_PROVIDER_FOR_GOOD: readonly Kind[] = [
  {
    name: 'no access',
    // A signed address that is refused may only have expired, so that the next attempt asks again.
    ends: ['provider_denied', 'provider_unavailable'],
    make: (r) => ({ match: SOURCE, status: r.one([401, 403]), skip: r.whole(0, 12) }),
  },
  {
    name: 'away',
    ends: ['provider_unavailable'],
    make: (r) => ({ match: SOURCE, status: 503, skip: r.whole(0, 12) }),
  },
  {
    name: 'sent where nobody may go',
    ends: ['manifest_invalid', 'provider_denied'],
    make: (r) => ({
      match: SOURCE,
      redirect: r.one(['http://169.254.169.254/latest', 'https://169.254.169.254/latest', 'https://[::1]/']),
      skip: r.whole(0, 12),
    }),
  },
  {
    name: 'sent round and round',
    ends: ['manifest_invalid'],
    make: (r) => ({ match: SOURCE, redirect: 'self', skip: r.whole(0, 12) }),
  },
];

/** The first the most often: it carries the most. */
const PROVIDERS = ['manifest', 'udemy', 'hls'] as const;

type Drawn = { readonly name: string; readonly fault: Fault };
export type Plan = {
  readonly seed: number;
  readonly provider: (typeof PROVIDERS)[number];
  readonly onDrive: readonly Drawn[];
  readonly onProvider: readonly Drawn[];
  /** What the API answers first. */
  readonly apiRefusals: readonly number[];
  /** Before the n-th PUT all upload sessions are gone, all tokens, or the container of the first attempt. */
  readonly sessionsGoneAtPut: number | undefined;
  readonly tokensGoneAtPut: number | undefined;
  readonly killedAtPut: number | undefined;
  /** Ends that the above may lead to. */
  readonly ends: ReadonlySet<EndReason>;
};

export function planOf(seed: number): Plan {
  const random = randomOf(seed);
  const ends = new Set<EndReason>();
  const provider = random.chance(0.6) ? PROVIDERS[0] : random.one(PROVIDERS.slice(1));
  const draw = (of: readonly Kind[], count: number): Drawn[] =>
    Array.from({ length: count }, () => {
      const { name, ends: its, make } = random.one(of);
      for (const reason of its) ends.add(reason);
      return { name, fault: make(random) };
    });
  const sometimes = (probability: number): number | undefined =>
    random.chance(probability) ? random.whole(0, 14) : undefined;
  const onDrive = draw(ON_DRIVE, random.whole(0, 4));
  const always = [...ON_PROVIDER, ...ON_PROVIDER_MORE];
  const kinds = provider === 'manifest' ? [...always, ...ON_MANIFEST] : always;
  const onProvider = draw(kinds, random.whole(0, 3));
  if (random.chance(0.06)) onDrive.push(...draw(ON_DRIVE_FOR_GOOD, 1));
  if (random.chance(0.08)) onProvider.push(...draw(ON_PROVIDER_FOR_GOOD, 1));
  const sessionsGoneAtPut = sometimes(0.15);
  if (sessionsGoneAtPut !== undefined) ends.add('drive_unavailable');
  return {
    seed,
    provider,
    onDrive,
    onProvider,
    apiRefusals: random.chance(0.2)
      ? Array.from({ length: random.whole(1, 3) }, () => random.one([500, 502, 503]))
      : [],
    sessionsGoneAtPut,
    tokensGoneAtPut: sometimes(0.15),
    killedAtPut: sometimes(0.3),
    ends,
  };
}
