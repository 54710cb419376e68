/** Named limits. An attempt runs under exactly one profile; what it was asked to be is stored with it. */
import { z } from 'zod';

export const limitsSchema = z.strictObject({
  memoryBytes: z.int().min(64 * 1024 * 1024),
  nanoCpus: z.int().min(100_000_000),
  cpuShares: z.int().min(2),
  pids: z.int().min(16),
  openFiles: z.int().min(64),
  tmpBytes: z.int().min(1024 * 1024),
  /** From the attempt's row to the stop signal. */
  deadlineSeconds: z.int().min(1),
  /** From the stop signal to the kill. */
  graceSeconds: z.int().min(0).max(60),
  parallelFiles: z.int().min(1).max(32),
});
export type Limits = z.infer<typeof limitsSchema>;
export type Profiles = ReadonlyMap<string, Limits>;

const MIB = 1024 * 1024;

const STANDARD: Limits = {
  memoryBytes: 512 * MIB,
  nanoCpus: 1_000_000_000,
  cpuShares: 1024,
  pids: 64,
  openFiles: 1024,
  tmpBytes: 16 * MIB,
  deadlineSeconds: 3 * 60 * 60,
  graceSeconds: 10,
  parallelFiles: 4,
};

const BUILT_IN: Readonly<Record<string, Partial<Limits>>> = { standard: {}, large: { memoryBytes: 1024 * MIB } };

/** The built-in profiles with what the operator adds or changes. Throws ZodError with the field at fault. */
export function makeProfiles(configured: unknown): Profiles {
  const own = z.record(z.string().regex(/^[a-z0-9-]{1,64}$/), limitsSchema.partial()).parse(configured);
  const names = new Set([...Object.keys(BUILT_IN), ...Object.keys(own)]);
  return new Map(
    [...names].map((name) => [name, limitsSchema.parse({ ...STANDARD, ...BUILT_IN[name], ...own[name] })]),
  );
}

/**
 * The profile with the next more memory that an engine with `memoryBytes` holds, for a job that ran out of it; undefined
 * when there is none.
 */
export function nextBigger(profiles: Profiles, name: string, memoryBytes: number): string | undefined {
  const now = profiles.get(name)?.memoryBytes ?? Number.POSITIVE_INFINITY;
  const bigger = [...profiles].filter(([, limits]) => limits.memoryBytes > now && limits.memoryBytes <= memoryBytes);
  return bigger.toSorted(([, a], [, b]) => a.memoryBytes - b.memoryBytes)[0]?.[0];
}
