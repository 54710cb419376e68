import { setTimeout as sleep } from 'node:timers/promises';

/** Rarely enough that looking does not disturb what is measured. */
const LOOK_EVERY_MS = 250;

/** Looks until `look` answers something. Throws with `what` at the limit. */
export async function until<T>(what: string, limitMs: number, look: () => Promise<T | undefined>): Promise<T> {
  const giveUpAt = Date.now() + limitMs;
  for (;;) {
    await sleep(LOOK_EVERY_MS);
    const found = await look();
    if (found !== undefined) return found;
    if (Date.now() > giveUpAt) throw new Error(`${what}: not within ${limitMs} ms`);
  }
}
