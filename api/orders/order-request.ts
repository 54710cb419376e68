import { createHash } from 'node:crypto';
import { z } from 'zod';
import { fieldErrors, Problem } from '../problem.ts';
import { normaliseEmail } from './email.ts';

const EMAIL_INPUT_MAX_CHARS = 320;

const schema = z.strictObject({
  courseId: z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'is not a course id'),
  email: z
    .string()
    .max(EMAIL_INPUT_MAX_CHARS)
    .transform((text, context) => {
      const email = normaliseEmail(text);
      if (email === undefined) context.addIssue({ code: 'custom', message: 'is not a plain e-mail address' });
      return email ?? '';
    }),
});

export type OrderRequest = {
  courseId: string;
  email: string;
  /** Whoever it is, without saying so: all spellings of the address that one mailbox may have. */
  emailDigest: string;
  /** SHA-256 of what was asked for, after normalising: the same wish spelled otherwise is the same request. */
  digest: Buffer;
};

const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest();

/** Throws `request_invalid` with the fields that are wrong. */
export function parseOrderRequest(body: unknown): OrderRequest {
  const parsed = schema.safeParse(body);
  if (!parsed.success) throw new Problem('request_invalid', undefined, { errors: fieldErrors(parsed.error.issues) });
  const { courseId, email } = parsed.data;
  const emailDigest = sha256(email.toLowerCase()).toString('base64url');
  return { courseId, email, emailDigest, digest: sha256(JSON.stringify([courseId, email])) };
}

/** The digest of an Idempotency-Key header. Throws `idempotency_key_invalid`. */
export function idempotencyKeyDigest(header: string | undefined): Buffer {
  if (header === undefined || !/^[\x21-\x7e]{16,128}$/.test(header)) throw new Problem('idempotency_key_invalid');
  return sha256(header);
}
