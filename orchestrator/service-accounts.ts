/**
 * Google's key file as the Cloud console gives it, or while it is rotated a list of two: the new one, and the one before
 * it with the time until which it is tried when Google does not know the new one yet.
 */
import { z } from 'zod';

export const serviceAccountSchema = z.looseObject({
  client_email: z.email(),
  private_key: z.string().includes('PRIVATE KEY'),
  until: z.iso.datetime().optional(),
});
export type ServiceAccount = z.infer<typeof serviceAccountSchema>;

const fileSchema = z.union([
  serviceAccountSchema.transform((one) => [one]),
  z.array(serviceAccountSchema).min(1).max(2),
]);

/** Throws RangeError, which never shows a key. */
export function parseServiceAccounts(text: string): ServiceAccount[] {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new RangeError('is not JSON');
  }
  const parsed = fileSchema.safeParse(json);
  if (!parsed.success) throw new RangeError('is not the key file of a service account, nor a list of two');
  return parsed.data;
}

export const acceptedAccounts = (accounts: readonly ServiceAccount[], now: Date): ServiceAccount[] =>
  accounts.filter(({ until }) => until === undefined || now < new Date(until));
