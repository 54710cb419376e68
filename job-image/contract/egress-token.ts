/**
 * The proof a job shows to egress, as `Proxy-Authorization: Bearer …`:
 *
 *   v1.<base64url of {"attempt","profile","expiresAt"}>.<base64url of HMAC-SHA256 over "v1.<claims>">
 *
 * `expiresAt` is in unix seconds. The profile names the allow-list; the list itself is egress' own configuration, so a
 * stolen signing key cannot widen it.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';

const claimsSchema = z.strictObject({
  attempt: z.uuid(),
  profile: z.string().min(1).max(64),
  expiresAt: z.int(),
});
export type EgressClaims = z.infer<typeof claimsSchema>;

const TOKEN_MAX_CHARS = 1_024;
const sign = (key: Buffer, signed: string): Buffer => createHmac('sha256', key).update(signed).digest();

export function mintEgressToken(key: Buffer, claims: EgressClaims): string {
  const signed = `v1.${Buffer.from(JSON.stringify(claims)).toString('base64url')}`;
  return `${signed}.${sign(key, signed).toString('base64url')}`;
}

/** The claims of a genuine token that has not expired at `nowSeconds`; undefined for every other string. */
export function verifyEgressToken(key: Buffer, token: string, nowSeconds: number): EgressClaims | undefined {
  if (token.length > TOKEN_MAX_CHARS) return undefined;
  const [version, claims, mac, ...rest] = token.split('.');
  if (version !== 'v1' || claims === undefined || mac === undefined || rest.length > 0) return undefined;
  const expected = sign(key, `v1.${claims}`);
  const given = Buffer.from(mac, 'base64url');
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) return undefined;
  const parsed = claimsSchema.safeParse(JSON.parse(Buffer.from(claims, 'base64url').toString('utf8')));
  return parsed.success && parsed.data.expiresAt > nowSeconds ? parsed.data : undefined;
}
