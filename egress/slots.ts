/** Counts what is open, for each attempt and in total, and says no above either limit. */
export type Slots = {
  /** Takes a slot and returns the function that gives it back (once); undefined when there is none. */
  take: (attempt: string) => (() => void) | undefined;
  open: () => number;
};

export function makeSlots(limits: { perAttempt: number; total: number }): Slots {
  const byAttempt = new Map<string, number>();
  let total = 0;
  return {
    open: () => total,
    take: (attempt) => {
      const mine = byAttempt.get(attempt) ?? 0;
      if (mine >= limits.perAttempt || total >= limits.total) return undefined;
      byAttempt.set(attempt, mine + 1);
      total += 1;
      let given = false;
      return () => {
        if (given) return;
        given = true;
        total -= 1;
        const left = (byAttempt.get(attempt) ?? 1) - 1;
        if (left === 0) byAttempt.delete(attempt);
        else byAttempt.set(attempt, left);
      };
    },
  };
}
