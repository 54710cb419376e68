/**
 * An upload session that the next attempt of a job may go on with. Its address is as good as a key to it, so that the job
 * seals it before it leaves the container; api and Postgres keep what they cannot read. Every attempt of a job gets the
 * same key, and no other job does.
 */
import { hkdfSync } from 'node:crypto';
import { z } from 'zod';
import { MASTER_KEY_BYTES } from './attempt-key.ts';
import { openSeal, seal } from './seal.ts';

const KEY_BYTES = 32;
export const SESSION_URL_MAX_CHARS = 2_048;
export const ETAG_MAX_CHARS = 512;

const address = {
  url: z.url({ protocol: /^https$/ }).max(SESSION_URL_MAX_CHARS),
  /** The folder the file will stand in. */
  parentId: z.string(),
};
/** Of a source of which more is announced: another one is another file. */
const keptFileSchema = z.object({
  ...address,
  sha256: z.string(),
  bytes: z.int().min(0),
  etag: z.string().max(ETAG_MAX_CHARS).optional(),
});
/** Of one of which only is known what it is made from. */
const keptStreamSchema = z.object({ ...address, version: z.string() });
const keptSessionSchema = z.union([keptFileSchema, keptStreamSchema]);
export type KeptFile = z.infer<typeof keptFileSchema>;
export type KeptStream = z.infer<typeof keptStreamSchema>;
export type KeptSession = KeptFile | KeptStream;

/** HKDF-SHA256 of the installation's master key, salted with the job's id; base64 of 32 bytes. */
export function deriveResumeKey(masterKey: Buffer, jobId: string): string {
  if (masterKey.length < MASTER_KEY_BYTES) throw new RangeError(`master key of ${masterKey.length} bytes`);
  return Buffer.from(hkdfSync('sha256', masterKey, jobId, 'lading resume key', KEY_BYTES)).toString('base64');
}

const keyOf = (resumeKey: string): Buffer => Buffer.from(resumeKey, 'base64');
const boundTo = (path: string): string => `upload session:${path}`;

export const sealSession = (resumeKey: string, path: string, session: KeptSession): Buffer =>
  seal(keyOf(resumeKey), boundTo(path), JSON.stringify(session));

/** Undefined where the seal is broken, or another job's or file's. */
export function openSession(resumeKey: string, path: string, sealed: Buffer): KeptSession | undefined {
  const text = openSeal(keyOf(resumeKey), boundTo(path), sealed);
  return text === undefined ? undefined : keptSessionSchema.safeParse(JSON.parse(text)).data;
}
