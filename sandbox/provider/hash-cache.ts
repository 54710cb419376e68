import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { z } from 'zod';
import { readIfThere, replaceFile } from '../write-once.ts';
import type { Log } from '../run.ts';

const READ_BYTES = 1024 * 1024;
const cacheSchema = z.record(z.string(), z.object({ bytes: z.number(), mtimeMs: z.number(), sha256: z.string() }));

export type HashCache = {
  /** SHA-256 of the file, computed once for each (path, size, mtime). */
  sha256Of: (file: { path: string; bytes: number; mtimeMs: number }) => Promise<string>;
  /** Writes what was learned beside the courses; a read-only folder only costs the next start its time. */
  save: () => Promise<void>;
};

async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: READ_BYTES })) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

function parsed(text: string | undefined): z.infer<typeof cacheSchema> {
  if (text === undefined) return {};
  try {
    return cacheSchema.safeParse(JSON.parse(text)).data ?? {};
  } catch {
    return {};
  }
}

/** `cachePath` holds the hashes between runs; what stands in it is believed only while size and mtime fit. */
export async function openHashCache(cachePath: string, log: Log): Promise<HashCache> {
  const known = new Map(Object.entries(parsed(await readIfThere(cachePath))));
  let isChanged = false;
  return {
    sha256Of: async ({ path, bytes, mtimeMs }) => {
      const entry = known.get(path);
      if (entry?.bytes === bytes && entry.mtimeMs === mtimeMs) return entry.sha256;
      const sha256 = await hashOf(path);
      known.set(path, { bytes, mtimeMs, sha256 });
      isChanged = true;
      return sha256;
    },
    save: async () => {
      if (!isChanged) return;
      isChanged = false;
      try {
        await replaceFile(cachePath, JSON.stringify(Object.fromEntries(known)), 0o644);
      } catch (error) {
        log.warn({ err: error, cachePath }, 'hashes are not kept');
      }
    },
  };
}
