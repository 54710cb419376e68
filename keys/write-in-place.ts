import { closeSync, fsyncSync, ftruncateSync, openSync, statSync, writeSync } from 'node:fs';

/**
 * Replaces what a file holds without replacing the file: a container that has it mounted sees the new content, and its
 * owner and mode stay. In one write, padded with line ends to the length it had, so that nobody reads half of each.
 */
export function writeInPlace(path: string, text: string): void {
  const bytes = Buffer.from(text);
  const file = openSync(path, 'r+');
  try {
    const padding = Buffer.alloc(Math.max(0, statSync(path).size - bytes.length), '\n');
    writeSync(file, Buffer.concat([bytes, padding]), 0, undefined, 0);
    ftruncateSync(file, bytes.length);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
