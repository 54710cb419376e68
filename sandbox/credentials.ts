import { generateKeyPair, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';
import { writeOnce } from './write-once.ts';

export const serviceAccountSchema = z.object({
  type: z.literal('service_account'),
  project_id: z.string(),
  private_key_id: z.string(),
  private_key: z.string(),
  client_email: z.string(),
  client_id: z.string(),
  token_uri: z.string(),
});
export type ServiceAccount = z.infer<typeof serviceAccountSchema>;

const KEY_FILE = 'service-account.json';
const PROJECT = 'lading-sandbox';

async function makeServiceAccount(): Promise<string> {
  const { privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: 2_048 });
  const clientId = BigInt(`0x${randomBytes(8).toString('hex')}`)
    .toString()
    .padStart(21, '1');
  const email = `lading@${PROJECT}.iam.gserviceaccount.com`;
  return JSON.stringify(
    {
      type: 'service_account',
      project_id: PROJECT,
      private_key_id: randomBytes(20).toString('hex'),
      private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
      client_email: email,
      client_id: clientId,
      auth_uri: 'https://accounts.google.com/o/oauth2/auth',
      token_uri: 'https://oauth2.googleapis.com/token',
      auth_provider_x509_cert_url: 'https://www.googleapis.com/oauth2/v1/certs',
      client_x509_cert_url: `https://www.googleapis.com/robot/v1/metadata/x509/${encodeURIComponent(email)}`,
      universe_domain: 'googleapis.com',
    },
    undefined,
    2,
  );
}

/**
 * A Google service-account key file in `dir`, of the shape the Cloud console hands out (RSA 2048), made once. `path` is
 * what production code is given.
 */
export async function ensureServiceAccount(dir: string): Promise<{ path: string; account: ServiceAccount }> {
  const path = join(dir, KEY_FILE);
  const text = await writeOnce(path, 0o600, makeServiceAccount);
  return { path, account: serviceAccountSchema.parse(JSON.parse(text)) };
}
