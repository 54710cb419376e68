/** The signed request of a service account for an access token; RFC 7523 as Google documents it for server to server. */
import { createPublicKey, verify } from 'node:crypto';
import { z } from 'zod';
import type { ServiceAccount } from '../credentials.ts';

export const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
export const TOKEN_SECONDS = 3_600;
const SKEW_SECONDS = 300;
const DRIVE_SCOPES = new Set(['https://www.googleapis.com/auth/drive', 'https://www.googleapis.com/auth/drive.file']);

export type Verdict = { email: string; scopes: string[] } | { error: string; description: string };

const headerSchema = z.object({ alg: z.literal('RS256'), kid: z.string().optional() });
const claimsSchema = z.object({
  iss: z.string(),
  aud: z.string(),
  scope: z.string().default(''),
  iat: z.number(),
  exp: z.number(),
  sub: z.string().optional(),
});

const refused = (description: string, error = 'invalid_grant'): Verdict => ({ error, description });

function decoded(part: string | undefined): unknown {
  try {
    return JSON.parse(Buffer.from(part ?? '', 'base64url').toString('utf8'));
  } catch {
    return undefined;
  }
}

/** Judges an assertion as Google's token endpoint does. `audiences` are the URLs under which the endpoint is known. */
export function judgeAssertion(
  assertion: string,
  accounts: readonly ServiceAccount[],
  audiences: readonly string[],
  nowSeconds: number,
): Verdict {
  const [head, body, signature, ...rest] = assertion.split('.');
  const header = headerSchema.safeParse(decoded(head)).data;
  const claims = claimsSchema.safeParse(decoded(body)).data;
  if (!header || !claims || !signature || rest.length > 0) return refused('Bad Request');
  const account = accounts.find(({ client_email }) => client_email === claims.iss);
  if (!account) return refused('Invalid grant: account not found');
  if (header.kid !== undefined && header.kid !== account.private_key_id) return refused('Invalid JWT Signature.');
  const key = createPublicKey(account.private_key);
  if (!verify('sha256', Buffer.from(`${head}.${body}`), key, Buffer.from(signature, 'base64url')))
    return refused('Invalid JWT Signature.');
  if (!audiences.includes(claims.aud)) return refused(`Invalid JWT: Failed audience check.`);
  if (claims.exp <= nowSeconds || claims.iat > nowSeconds + SKEW_SECONDS || claims.exp - claims.iat > TOKEN_SECONDS)
    return refused(
      'Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat and exp values in the JWT claim.',
    );
  if (claims.sub !== undefined && claims.sub !== claims.iss)
    return refused('Client is unauthorized to retrieve access tokens using this method.', 'unauthorized_client');
  const scopes = claims.scope.split(' ').filter((scope) => scope !== '');
  if (!scopes.some((scope) => DRIVE_SCOPES.has(scope)))
    return refused('Invalid OAuth scope or ID token audience provided.', 'invalid_scope');
  return { email: account.client_email, scopes };
}
