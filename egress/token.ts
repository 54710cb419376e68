import { verifyEgressToken, type EgressClaims } from '../job-image/contract/egress-token.ts';
import type { RefusalCode } from './refusal.ts';

const BEARER = /^Bearer ([A-Za-z0-9._~+/=-]+)$/i;

/** The claims behind a Proxy-Authorization header, judged by this host's clock. */
export function readToken(key: Buffer, header: string | undefined): EgressClaims | RefusalCode {
  const token = header === undefined ? undefined : BEARER.exec(header)?.[1];
  if (token === undefined) return 'token_missing';
  return verifyEgressToken(key, token, Date.now() / 1_000) ?? 'token_refused';
}
