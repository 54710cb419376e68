import type { Socket } from 'node:net';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import type { Fault } from './faults.ts';

/** A pace is kept in steps of this length, so that a slow body still moves smoothly. */
const STEP_MS = 50;
const FLUSH_LIMIT_MS = 5_000;

/** The part of a fault that concerns a body. */
export type Pace = Pick<
  Fault,
  'afterBytes' | 'bytesPerSecond' | 'shortRange' | 'flipByte' | 'shortBy' | 'etag' | 'encoding' | 'lengthless'
>;

export class ConnectionDropped extends Error {
  override name = 'ConnectionDropped';
}

/** What was written so far leaves before the cut: "after so many bytes" means that they arrive. */
async function sent(socket: Socket): Promise<void> {
  const untilMs = performance.now() + FLUSH_LIMIT_MS;
  do await nextTurn();
  while (socket.writableLength > 0 && performance.now() < untilMs);
}

/** `piece` with one bit of its byte `at` turned, where it has such a byte. */
function flipped(piece: Buffer, at: number): Buffer {
  const byte = at < 0 ? undefined : piece[at];
  if (byte === undefined) return piece;
  const copy = Buffer.from(piece);
  copy[at] = byte ^ 1;
  return copy;
}

/**
 * The bytes of `body` as `pace` lets them through: slowed down, or cut with the connection after `afterBytes`. Throws
 * ConnectionDropped at the cut, and whatever `body` throws when the other side goes away.
 */
export async function* pacedBody(
  body: AsyncIterable<Buffer>,
  pace: Pace | undefined,
  socket: Socket,
): AsyncGenerator<Buffer> {
  const dropAt = pace?.afterBytes ?? Infinity;
  const stepBytes = pace?.bytesPerSecond ? Math.max(1, Math.round((pace.bytesPerSecond * STEP_MS) / 1_000)) : Infinity;
  const startedMs = performance.now();
  let passed = 0;
  for await (const chunk of body)
    for (let at = 0; at < chunk.length;) {
      const length = Math.min(chunk.length - at, stepBytes, dropAt - passed);
      if (length > 0) yield flipped(chunk.subarray(at, at + length), (pace?.flipByte ?? Infinity) - passed);
      at += length;
      passed += length;
      if (passed >= dropAt) {
        await sent(socket);
        socket.destroy();
        throw new ConnectionDropped(`after ${passed} bytes`);
      }
      if (pace?.bytesPerSecond) {
        const dueMs = startedMs + (passed * 1_000) / pace.bytesPerSecond;
        await sleep(Math.max(0, dueMs - performance.now()));
        if (socket.destroyed) throw new ConnectionDropped('closed by the other side');
      }
    }
}
