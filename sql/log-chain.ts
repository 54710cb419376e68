/** How the chunks of a log are chained, for who writes them and for who proves that they are complete. */
import { createHash } from 'node:crypto';

/** What the first chunk is chained to, and the hash of a log without chunks. */
export const FIRST_HASH = Buffer.alloc(32);

/** The hash of a chunk: sha256 over the hash before it and its lines, uncompressed. */
export const chainHash = (previous: Buffer, lines: Buffer): Buffer =>
  createHash('sha256').update(previous).update(lines).digest();
