/** Writes that are on their way when the call returns: a program that is killed next has said what it said. */
import { writeSync } from 'node:fs';
import { formatJobMessage, type JobMessage } from '../../job-image/contract/messages.ts';

const STDOUT = 1;
const STDERR = 2;

/** A pipe may be non-blocking and full; the reader gets this long to make room before the next try. */
const FULL_PAUSE_MS = 1;
const pause = new Int32Array(new SharedArrayBuffer(4));

function writeSome(fd: number, bytes: Buffer, at: number): number {
  try {
    return writeSync(fd, bytes, at, bytes.length - at);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
    Atomics.wait(pause, 0, 0, FULL_PAUSE_MS);
    return 0;
  }
}

export function print(text: string | Buffer, stream: 'stdout' | 'stderr' = 'stdout'): void {
  const bytes = typeof text === 'string' ? Buffer.from(text) : text;
  for (let at = 0; at < bytes.length;) at += writeSome(stream === 'stdout' ? STDOUT : STDERR, bytes, at);
}

export const say = (message: JobMessage): void => print(formatJobMessage(message));
