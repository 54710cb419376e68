/** The keys that this process was opened with of late: what is not used is no secret in use. */
export type KeysInUse = {
  seen: (prefix: string, madeAt: Date) => void;
  /** When the oldest of them was made; undefined where none was used. */
  oldest: () => Date | undefined;
};

const USED_WITHIN_MS = 24 * 3_600_000;
const KEYS_MAX = 1_000;

export function makeKeysInUse(now: () => number = Date.now): KeysInUse {
  const keys = new Map<string, { madeAt: Date; usedAt: number }>();
  return {
    seen: (prefix, madeAt) => {
      // Last in line again; the first in line was used the longest ago.
      keys.delete(prefix);
      keys.set(prefix, { madeAt, usedAt: now() });
      for (const [one] of keys) {
        if (keys.size <= KEYS_MAX) break;
        keys.delete(one);
      }
    },
    oldest: () => {
      const since = now() - USED_WITHIN_MS;
      for (const [prefix, { usedAt }] of keys) if (usedAt < since) keys.delete(prefix);
      const times = [...keys.values()].map(({ madeAt }) => madeAt.getTime());
      return times.length === 0 ? undefined : new Date(times.reduce((a, b) => Math.min(a, b)));
    },
  };
}
