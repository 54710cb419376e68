/** How SePay authenticates a webhook; its documentation, "xac-thuc" and "bao-mat". */
import { createHmac } from 'node:crypto';

export type WebhookAuth =
  | { mode: 'hmac'; secret: string }
  | { mode: 'apikey'; key: string }
  /** For tests of the receiver: SePay's docs advise against it. */
  | { mode: 'none' };

/** `sha256=<hex>` over "timestamp.body". The key is the whole secret string, `whsec_` included, as UTF-8. */
export const sePaySignature = (secret: string, timestampSeconds: number, rawBody: string): string =>
  `sha256=${createHmac('sha256', secret).update(`${timestampSeconds}.${rawBody}`, 'utf8').digest('hex')}`;

/** The headers of one delivery attempt; the timestamp is the attempt's, not the transfer's. */
export function authHeaders(auth: WebhookAuth, nowSeconds: number, rawBody: string): Record<string, string> {
  if (auth.mode === 'apikey') return { Authorization: `Apikey ${auth.key}` };
  if (auth.mode === 'none') return {};
  return {
    'X-SePay-Timestamp': String(nowSeconds),
    'X-SePay-Signature': sePaySignature(auth.secret, nowSeconds, rawBody),
  };
}
