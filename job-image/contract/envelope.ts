/**
 * The envelope: job spec and secrets, sent once over the container's stdin.
 *
 *   magic "LADING1\n" (8 bytes) | payload length (uint32, big endian) | payload (JSON, UTF-8) | HMAC-SHA256 (32 bytes)
 *
 * The HMAC is keyed by the nonce that the container printed in its `ready` message and covers magic, length and
 * payload, so an envelope opens only in the container it was made for. Bytes that are not exactly one frame (injected
 * by a proxy, cut short by a dying orchestrator) are refused before any work starts.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';

const MAGIC = Buffer.from('LADING1\n', 'latin1');
const HEADER_BYTES = MAGIC.length + 4;
const MAC_BYTES = 32;
export const ENVELOPE_MAX_BYTES = 64 * 1024;

export const envelopeSchema = z.strictObject({
  jobId: z.uuid(),
  attemptId: z.uuid(),
  attemptNumber: z.int().min(1),
  /** When the orchestrator will stop the container, RFC 3339. */
  deadlineAt: z.iso.datetime({ offset: true }),
  course: z.strictObject({ id: z.string(), title: z.string() }),
  source: z.discriminatedUnion('provider', [
    z.strictObject({
      provider: z.literal('manifest'),
      manifestUrl: z.url({ protocol: /^https$/ }),
      /** Sent as `Authorization: Bearer` to the manifest's own origin only. */
      bearer: z.string().min(1).optional(),
    }),
    z.strictObject({
      provider: z.literal('hls'),
      /** The document that lists the streams. */
      courseUrl: z.url({ protocol: /^https$/ }),
      bearer: z.string().min(1).optional(),
    }),
    z.strictObject({
      provider: z.literal('udemy'),
      /** Without a trailing slash. */
      apiUrl: z.url({ protocol: /^https$/ }),
      courseId: z.int().min(1),
      bearer: z.string().min(1),
    }),
  ]),
  drive: z.strictObject({
    /** Base of Drive v3, without a trailing slash: https://www.googleapis.com in production. */
    apiUrl: z.url({ protocol: /^https$/ }),
    accessToken: z.string().min(1),
    /** Folder (of a shared drive) under which the order's own folder is made. */
    parentFolderId: z.string().min(1),
    folderName: z.string().min(1).max(255),
  }),
  /** Proof towards egress; see egress-token.ts. */
  egressToken: z.string().min(1),
  /** Key of the signed calls to the API, `whsec_…`; see signed-call.ts. */
  attemptKey: z.string().startsWith('whsec_'),
  /** Of all attempts of the job; see sealed-session.ts. */
  resumeKey: z.base64().min(1),
  /** Extra certificate authorities in PEM, for own storage or a sandbox behind a private CA. */
  extraCaPem: z.string().optional(),
  /** How many files are in flight at once. */
  parallelFiles: z.int().min(1).max(32),
});
export type Envelope = z.infer<typeof envelopeSchema>;

/** Every value of an envelope that must not be seen anywhere else. */
export function secretsOf(envelope: Envelope): string[] {
  const bearer = envelope.source.bearer;
  const { drive, egressToken, attemptKey, resumeKey } = envelope;
  return [drive.accessToken, egressToken, attemptKey, resumeKey, ...(bearer ? [bearer] : [])];
}

export class EnvelopeError extends Error {
  override name = 'EnvelopeError';
}

const macOf = (nonce: string, signed: Buffer): Buffer => createHmac('sha256', nonce).update(signed).digest();

/** Throws EnvelopeError when the envelope is larger than ENVELOPE_MAX_BYTES. */
export function encodeEnvelope(envelope: Envelope, nonce: string): Buffer {
  const payload = Buffer.from(JSON.stringify(envelope), 'utf8');
  if (payload.length > ENVELOPE_MAX_BYTES) throw new EnvelopeError(`envelope of ${payload.length} bytes`);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(payload.length);
  const signed = Buffer.concat([MAGIC, length, payload]);
  return Buffer.concat([signed, macOf(nonce, signed)]);
}

/** How many bytes the frame that starts with `head` has, or undefined while the header is incomplete. */
function frameBytes(head: Buffer): number | undefined {
  const seen = Math.min(head.length, MAGIC.length);
  if (!head.subarray(0, seen).equals(MAGIC.subarray(0, seen))) throw new EnvelopeError('not an envelope');
  if (head.length < HEADER_BYTES) return undefined;
  const payloadBytes = head.readUInt32BE(MAGIC.length);
  if (payloadBytes > ENVELOPE_MAX_BYTES) throw new EnvelopeError(`envelope of ${payloadBytes} bytes`);
  return HEADER_BYTES + payloadBytes + MAC_BYTES;
}

/** Opens one complete frame. Throws EnvelopeError on anything that is not exactly what encodeEnvelope made. */
export function decodeEnvelope(frame: Buffer, nonce: string): Envelope {
  const expected = frameBytes(frame);
  if (expected === undefined || frame.length < expected) throw new EnvelopeError(`cut short at ${frame.length} bytes`);
  if (frame.length > expected) throw new EnvelopeError('foreign bytes after the envelope');
  const signed = frame.subarray(0, expected - MAC_BYTES);
  if (!timingSafeEqual(macOf(nonce, signed), frame.subarray(expected - MAC_BYTES)))
    throw new EnvelopeError('HMAC does not fit');
  const parsed = envelopeSchema.safeParse(JSON.parse(signed.subarray(HEADER_BYTES).toString('utf8')));
  if (!parsed.success) throw new EnvelopeError(`bad field: ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}

/** Reads stdin until one frame is complete. Ends of stream before that, and foreign bytes, throw EnvelopeError. */
export async function readEnvelope(stdin: AsyncIterable<Buffer>, nonce: string): Promise<Envelope> {
  let seen = Buffer.alloc(0);
  for await (const chunk of stdin) {
    seen = Buffer.concat([seen, chunk]);
    const expected = frameBytes(seen);
    if (expected !== undefined && seen.length >= expected) return decodeEnvelope(seen, nonce);
  }
  throw new EnvelopeError(`stdin ended after ${seen.length} bytes`);
}
