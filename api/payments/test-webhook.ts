/** Webhooks as SePay sends them, for the tests. */
import { createHmac } from 'node:crypto';
import { SECRETS, type TestApi } from '../test-setup.ts';

let lastId = 92_704;

/** The event of the documentation, of a transfer made now, with a new id. */
export function sepayEvent(changes: Record<string, unknown> = {}): Record<string, unknown> {
  lastId += 1;
  const vietnamNow = new Date(Date.now() + 7 * 3_600_000).toISOString();
  return {
    id: lastId,
    gateway: 'MBBank',
    transactionDate: `${vietnamNow.slice(0, 10)} ${vietnamNow.slice(11, 19)}`,
    accountNumber: '0123456789',
    subAccount: null,
    code: null,
    content: '',
    transferType: 'in',
    description: 'BankAPINotify',
    transferAmount: 499_000,
    accumulated: 0,
    referenceCode: 'FT26001000001',
    ...changes,
  };
}

export const unixNow = (): number => Math.floor(Date.now() / 1_000);

export function signedBySepay(body: string | Uint8Array, secret = SECRETS[0] ?? '', timestamp = unixNow()) {
  const mac = createHmac('sha256', secret).update(`${timestamp}.`).update(body).digest('hex');
  return { 'X-SePay-Timestamp': String(timestamp), 'X-SePay-Signature': `sha256=${mac}` };
}

export const postWebhook = (
  api: TestApi,
  body: string | Uint8Array<ArrayBuffer>,
  headers: Record<string, string> = signedBySepay(body),
): Promise<Response> =>
  fetch(`${api.url}/webhooks/sepay`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...headers },
    body: body,
  });

/** A transfer that names the order; answered with success, or thrown. */
export async function pay(api: TestApi, content: string, changes: Record<string, unknown> = {}): Promise<void> {
  const response = await postWebhook(api, JSON.stringify(sepayEvent({ content, ...changes })));
  const text = await response.text();
  if (response.status !== 200 || text !== '{"success":true}') throw new Error(`webhook: ${response.status} ${text}`);
}
