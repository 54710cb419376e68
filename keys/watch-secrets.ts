import type { Logger } from 'pino';
import { neverChanges, watchFile, type Watched } from './watched-file.ts';

export type GivenSecret<T> = { initial: T; file: string | undefined };
export type SecretWatch = {
  watch: <T>(secret: GivenSecret<T>, parse: (text: string) => T) => Watched<T>;
  /** Looks now at all of them. */
  look: () => void;
  stop: () => void;
};

/** The secrets of a process that come from files and may change; one that does not come from a file stays. */
export function watchSecrets(log: Logger): SecretWatch {
  const startedAt = new Date();
  const all: Watched<unknown>[] = [];
  const on = {
    changed: (path: string) => log.info({ path }, 'secret read anew'),
    failed: (path: string, error: unknown) =>
      log.error({ path, err: error }, 'secret not read, the one before it stays'),
  };
  return {
    watch: ({ initial, file }, parse) => {
      const one = file === undefined ? neverChanges(initial, startedAt) : watchFile(file, parse, on);
      all.push(one);
      return one;
    },
    look: () => all.forEach((one) => one.look()),
    stop: () => all.forEach((one) => one.stop()),
  };
}
