/**
 * A file that may change under a running process: a secret that is rotated, a certificate that is renewed. Its state is
 * looked at every second, because nothing else sees all three ways in which such a file changes: written in place, put in
 * place by rename, and changed on the host below a container's mount. What cannot be read or used is reported and the
 * value before it stays.
 */
import { readFileSync, statSync } from 'node:fs';

const LOOK_EVERY_MS = 1_000;
const FILE_MAX_BYTES = 64 * 1024;
/** Within this time everybody who watches a file has what was written into it. */
export const SEEN_WITHIN_MS = 5_000;

export type Watched<T> = {
  value: () => T;
  /** When the file was written. */
  changedAt: () => Date;
  /** Looks now, as a SIGHUP asks for. */
  look: () => void;
  stop: () => void;
};

type Seen = { stamp: string; changedAt: Date };
function stampOf(path: string): Seen {
  const { ino, size, mtimeNs, mtime } = statSync(path, { bigint: true });
  return { stamp: `${ino} ${size} ${mtimeNs}`, changedAt: mtime };
}

export const neverChanges = <T>(value: T, since: Date): Watched<T> => ({
  value: () => value,
  changedAt: () => since,
  look: () => undefined,
  stop: () => undefined,
});

/** Throws what `parse` throws, or the error of reading, the first time only. */
export function watchFile<T>(
  path: string,
  parse: (text: string) => T,
  on: { changed: (path: string) => void; failed: (path: string, error: unknown) => void },
  lookEveryMs = LOOK_EVERY_MS,
): Watched<T> {
  const read = (): T => {
    if (statSync(path).size > FILE_MAX_BYTES) throw new RangeError(`larger than ${FILE_MAX_BYTES} bytes`);
    return parse(readFileSync(path, 'utf8'));
  };
  let seen = stampOf(path);
  let value = read();
  let failedAt = '';
  function look(): void {
    let stamp = '';
    try {
      const now = stampOf(path);
      ({ stamp } = now);
      if (stamp === seen.stamp) return;
      const fresh = read();
      // Written while it was read: the next look takes it whole.
      if (stampOf(path).stamp !== stamp) return;
      value = fresh;
      seen = now;
      failedAt = '';
      on.changed(path);
    } catch (error) {
      // Once for each state of the file, not once a second.
      if (stamp !== '' && stamp === failedAt) return;
      if (stamp === '' && failedAt === 'unreadable') return;
      failedAt = stamp === '' ? 'unreadable' : stamp;
      on.failed(path, error);
    }
  }
  const timer = setInterval(look, lookEveryMs).unref();
  return { value: () => value, changedAt: () => seen.changedAt, look, stop: () => clearInterval(timer) };
}
