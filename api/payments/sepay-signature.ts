/**
 * Whether a webhook comes from SePay (https://developer.sepay.vn/en/sepay-webhooks/xac-thuc). In HMAC mode
 *
 *   X-SePay-Timestamp: <unix seconds>
 *   X-SePay-Signature: sha256=<hex of HMAC-SHA256(secret, "<timestamp>.<raw body>")>
 *
 * where the key is the whole secret as text, `whsec_` included. In API key mode `Authorization: Apikey <key>`. An
 * installation has one mode: where HMAC is set up the weaker mode opens nothing.
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';

export type SepayAuth =
  | {
      mode: 'hmac';
      /** The current secret, and the previous one while it is being replaced. */ secrets: readonly string[];
    }
  | { mode: 'apikey'; keys: readonly string[] };

export type SepayHeaders = { signature?: string; timestamp?: string; authorization?: string };

export type SepayRejection =
  | 'signature_missing'
  | 'timestamp_malformed'
  | 'timestamp_out_of_window'
  | 'signature_wrong'
  | 'api_key_missing'
  | 'api_key_wrong';

const WINDOW_SECONDS = 300;

function hmacHeaders(headers: SepayHeaders, nowSeconds: number): { given: Buffer; at: string } | SepayRejection {
  const hex = /^sha256=([0-9a-f]{64})$/i.exec(headers.signature ?? '')?.[1];
  if (hex === undefined || headers.timestamp === undefined) return 'signature_missing';
  if (!/^\d{1,12}$/.test(headers.timestamp)) return 'timestamp_malformed';
  if (Math.abs(nowSeconds - Number(headers.timestamp)) > WINDOW_SECONDS) return 'timestamp_out_of_window';
  return { given: Buffer.from(hex, 'hex'), at: headers.timestamp };
}

function checkHmac(
  secrets: readonly string[],
  headers: SepayHeaders,
  raw: Buffer,
  nowSeconds: number,
): SepayRejection | undefined {
  const signed = hmacHeaders(headers, nowSeconds);
  if (typeof signed === 'string') return signed;
  const fits = secrets.map((secret) =>
    timingSafeEqual(createHmac('sha256', secret).update(`${signed.at}.`).update(raw).digest(), signed.given),
  );
  return fits.includes(true) ? undefined : 'signature_wrong';
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

function checkApiKey(keys: readonly string[], authorization: string | undefined): SepayRejection | undefined {
  const given = /^Apikey +(\S+)$/i.exec(authorization ?? '')?.[1];
  if (given === undefined) return 'api_key_missing';
  // Digests, because the two keys may differ in length.
  const fits = keys.map((key) => timingSafeEqual(digest(given), digest(key)));
  return fits.includes(true) ? undefined : 'api_key_wrong';
}

/** Undefined for an authentic webhook. `raw` is the body as received, before anything was parsed. */
export const rejectionOf = (
  auth: SepayAuth,
  headers: SepayHeaders,
  raw: Buffer,
  nowSeconds: number,
): SepayRejection | undefined =>
  auth.mode === 'hmac'
    ? checkHmac(auth.secrets, headers, raw, nowSeconds)
    : checkApiKey(auth.keys, headers.authorization);

/** What the headers alone give away, before a body is read. Undefined: the body decides. */
export function implausibleHeaders(
  auth: SepayAuth,
  headers: SepayHeaders,
  nowSeconds: number,
): SepayRejection | undefined {
  if (auth.mode === 'apikey') return checkApiKey(auth.keys, headers.authorization);
  const signed = hmacHeaders(headers, nowSeconds);
  return typeof signed === 'string' ? signed : undefined;
}
