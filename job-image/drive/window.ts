/**
 * The bytes between what Drive has confirmed and what was read from the source. They are kept until confirmed, so that an
 * upload goes on from wherever Drive says without reading the source, or hashing, twice. At most one chunk and one piece
 * are held. Reading is shared: a request that was given up may leave a read under way, and the next one joins it.
 */
export type Window = {
  /** First byte that is still held. */
  start: () => number;
  /** Bytes [from, to): first the held ones, then new ones from the source. `from` must not be before `start`. */
  bytes: (from: number, to: number) => AsyncGenerator<Buffer>;
  /** Forgets everything before `offset`. */
  release: (offset: number) => void;
  /** What the source failed with; undefined while it is fine. */
  failure: () => unknown;
};

/** `source` begins at byte `from`. `onRead` sees every piece of it exactly once, in order. */
export function makeWindow(source: AsyncIterator<Buffer>, onRead: (piece: Buffer) => void, from = 0): Window {
  let held: Buffer[] = [];
  let start = from;
  let end = from;
  let reading: Promise<void> | undefined;
  let failed: { cause: unknown } | undefined;

  async function readOne(): Promise<void> {
    try {
      const { done, value } = await source.next();
      if (done === true) throw new RangeError(`source ended at byte ${end}`);
      onRead(value);
      held.push(value);
      end += value.length;
    } catch (cause) {
      failed = { cause };
      throw cause;
    } finally {
      reading = undefined;
    }
  }
  function read(): Promise<void> {
    if (reading === undefined) {
      reading = readOne();
      reading.catch(() => undefined);
    }
    return reading;
  }
  /** The held bytes of the piece that contains `at`, from `at` on. */
  function heldAt(at: number): Buffer | undefined {
    let pieceStart = start;
    for (const piece of held) {
      if (at < pieceStart + piece.length) return piece.subarray(at - pieceStart);
      pieceStart += piece.length;
    }
    return undefined;
  }

  return {
    start: () => start,
    failure: () => failed?.cause,
    bytes: async function* (first, to) {
      for (let at = first; at < to;) {
        if (at < start) throw new RangeError(`byte ${at} is no longer held`);
        const piece = heldAt(at)?.subarray(0, to - at);
        if (piece === undefined) {
          await read();
          continue;
        }
        at += piece.length;
        yield piece;
      }
    },
    release: (offset) => {
      let at = start;
      const kept: Buffer[] = [];
      for (const piece of held) {
        const rest = piece.subarray(Math.min(Math.max(offset - at, 0), piece.length));
        if (rest.length > 0) kept.push(rest);
        at += piece.length;
      }
      held = kept;
      start = Math.min(Math.max(start, offset), end);
    },
  };
}
