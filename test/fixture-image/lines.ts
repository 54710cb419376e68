/** What `many-lines` prints, so that a test knows it too. Pure. */

/** The daemon cuts a line here. */
export const DAEMON_SPLIT_BYTES = 16_384;
const LONG_EVERY = 5_000;
const STDERR_EVERY = 7;
const LONG_LENGTHS = [
  DAEMON_SPLIT_BYTES - 1,
  DAEMON_SPLIT_BYTES,
  DAEMON_SPLIT_BYTES + 1,
  2 * DAEMON_SPLIT_BYTES,
  40_000,
  300_000,
];

export type Printed = { stream: 'stdout' | 'stderr'; text: string };

/**
 * Line `i` of many, from 0: mostly short, some around and far beyond the daemon's split, some on stderr. The long ones
 * are of one-byte letters: the daemon's json-file log spoils a longer one that lies across its split.
 */
export function lineOf(i: number): Printed {
  const stream = i % STDERR_EVERY === 3 ? 'stderr' : 'stdout';
  const long = i % LONG_EVERY === 42 ? LONG_LENGTHS[Math.floor(i / LONG_EVERY) % LONG_LENGTHS.length] : undefined;
  return {
    stream,
    text: long === undefined ? `line ${i} đường ${'·'.repeat(i % 5)}` : lineOfBytes(long, `line ${i} `),
  };
}

/** The lengths in bytes of the lines that `sixteen-kib` prints. */
export const AROUND_SPLIT_BYTES = [16_383, 16_384, 16_385, 32_767, 32_768, 32_769, 40_000];
export const lineOfBytes = (bytes: number, start = `${bytes} `): string => start.padEnd(bytes, 'abcdefghij');
