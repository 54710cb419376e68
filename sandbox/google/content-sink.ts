import { createHash } from 'node:crypto';
import { mkdir, open, rename, rm, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { BLOCK_BYTES } from './content-range.ts';
import type { Content } from './tree.ts';

/**
 * Takes a file's bytes in order and keeps them in blocks: a block counts (is hashed and written) when it is full, or when
 * the file ends. What was sent of an unfinished block is gone with its connection, as with Google.
 */
export type ContentSink = {
  kept: () => number;
  write: (piece: Buffer) => Promise<void>;
  /** Forgets the unfinished block. */
  dropTail: () => void;
  /** Keeps the tail and closes. */
  finish: () => Promise<Content>;
  discard: () => Promise<void>;
};

/** `path` undefined: only size and checksums are kept. */
export function makeContentSink(path: string | undefined): ContentSink {
  const sha256 = createHash('sha256');
  const md5 = createHash('md5');
  // Taken at the first byte and given back at the end: sessions outlive their content.
  let block: Buffer | undefined;
  let filled = 0;
  let kept = 0;
  let file: FileHandle | undefined;
  const part = path === undefined ? undefined : `${path}.part`;

  const opened = async (): Promise<FileHandle | undefined> => {
    if (part === undefined) return undefined;
    if (!file) {
      await mkdir(dirname(part), { recursive: true });
      file = await open(part, 'w', 0o600);
    }
    return file;
  };
  const keep = async (bytes: Buffer): Promise<void> => {
    sha256.update(bytes);
    md5.update(bytes);
    await (await opened())?.writeFile(bytes);
    kept += bytes.length;
  };

  return {
    kept: () => kept,
    write: async (piece) => {
      block ??= Buffer.allocUnsafe(BLOCK_BYTES);
      for (let at = 0; at < piece.length;) {
        const copied = piece.copy(block, filled, at);
        at += copied;
        filled += copied;
        if (filled === BLOCK_BYTES) {
          await keep(block);
          filled = 0;
        }
      }
    },
    dropTail: () => {
      filled = 0;
    },
    finish: async () => {
      await keep(block?.subarray(0, filled) ?? Buffer.alloc(0));
      block = undefined;
      await file?.close();
      if (part !== undefined && path !== undefined) await rename(part, path);
      return { size: kept, sha256Checksum: sha256.digest('hex'), md5Checksum: md5.digest('hex'), path };
    },
    discard: async () => {
      await file?.close();
      if (part !== undefined) await rm(part, { force: true });
    },
  };
}
