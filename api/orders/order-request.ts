import { createHash } from 'node:crypto';
import { z } from 'zod';
import { Problem } from '../problem.ts';
import { courseId } from '../operators/fields.ts';
import { normaliseEmail } from './email.ts';

const EMAIL_INPUT_MAX_CHARS = 320;

/** Parsed, the address is normalised. */
export const orderBody = z.strictObject({
  courseId,
  email: z
    .string()
    .max(EMAIL_INPUT_MAX_CHARS)
    .transform((text, context) => {
      const email = normaliseEmail(text);
      if (email === undefined) context.addIssue({ code: 'custom', message: 'is not a plain e-mail address' });
      return email ?? '';
    }),
});

export const orderHeaders = z.strictObject({
  'Idempotency-Key': z
    .string()
    .regex(/^[\x21-\x7e]{16,128}$/)
    .describe('The same key with the same wish is answered with the same order, however often it is sent.'),
});

export type OrderRequest = {
  courseId: string;
  email: string;
  /** The shop whose key placed it; null: a customer by himself. */
  shop: string | null;
  /** Whoever it is, without saying so: all spellings of the address that one mailbox may have. */
  emailDigest: string;
  /** SHA-256 of what was asked for, after normalising: the same wish spelled otherwise is the same request. */
  digest: Buffer;
};

const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest();

export function orderRequest(
  { courseId: course, email }: z.output<typeof orderBody>,
  shop: string | null,
): OrderRequest {
  const emailDigest = sha256(email.toLowerCase()).toString('base64url');
  const wish = shop === null ? [course, email] : [course, email, shop];
  return { courseId: course, email, shop, emailDigest, digest: sha256(JSON.stringify(wish)) };
}

/** The digest of an Idempotency-Key header. Throws `idempotency_key_invalid`. */
export function idempotencyKeyDigest(header: string | undefined, shop: string | null): Buffer {
  const parsed = orderHeaders.safeParse({ 'Idempotency-Key': header });
  if (!parsed.success) throw new Problem('idempotency_key_invalid');
  const key = parsed.data['Idempotency-Key'];
  // A shop's keys are its own: no stranger can have used one before.
  return sha256(shop === null ? key : `${shop}\n${key}`);
}
