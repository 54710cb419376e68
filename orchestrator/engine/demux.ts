/**
 * Docker's multiplexed stream: frames of an 8-byte header (stream, 0, 0, 0, length big endian) and a payload. Written
 * as a loop: docker-modem's own demultiplexer recurses and overflows the stack at some 3,000 frames in one chunk.
 */
export type Frame = { stream: 'stdout' | 'stderr'; payload: Buffer };

const HEADER_BYTES = 8;
/** The daemon cuts at 16 KiB (plus a timestamp); anything near this limit is not a log stream. */
const FRAME_MAX_BYTES = 1024 * 1024;

/**
 * Yields the frames that each chunk completes, together: one step of the event loop a chunk, not a frame, which a job
 * that prints one-byte lines makes a thousandfold difference. Throws on a header that no daemon writes. A cut last
 * frame is dropped.
 */
export async function* demuxBatches(source: AsyncIterable<Buffer>): AsyncGenerator<Frame[]> {
  let held: Buffer = Buffer.alloc(0);
  for await (const chunk of source) {
    held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
    const frames: Frame[] = [];
    let at = 0;
    while (held.length - at >= HEADER_BYTES) {
      const stream = held[at];
      const length = held.readUInt32BE(at + 4);
      if (stream === undefined || stream > 2 || length > FRAME_MAX_BYTES) throw new Error('not a multiplexed stream');
      const start = at + HEADER_BYTES;
      if (held.length - start < length) break;
      frames.push({ stream: stream === 2 ? 'stderr' : 'stdout', payload: held.subarray(start, start + length) });
      at = start + length;
    }
    held = held.subarray(at);
    if (frames.length > 0) yield frames;
  }
}

/** The same, frame by frame. */
export async function* demux(source: AsyncIterable<Buffer>): AsyncGenerator<Frame> {
  for await (const frames of demuxBatches(source)) yield* frames;
}
