/** Writes that are on their way when the call returns: a program that is killed next has said what it said. */
import { writeSync } from 'node:fs';
import { formatJobMessage, type JobMessage } from '../../job-image/contract/messages.ts';

const STDOUT = 1;
const STDERR = 2;

export function print(text: string | Buffer, stream: 'stdout' | 'stderr' = 'stdout'): void {
  const bytes = typeof text === 'string' ? Buffer.from(text) : text;
  for (let at = 0; at < bytes.length; )
    at += writeSync(stream === 'stdout' ? STDOUT : STDERR, bytes, at, bytes.length - at);
}

export const say = (message: JobMessage): void => print(formatJobMessage(message));
