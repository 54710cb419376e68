/** SePay in this process, so that the moment at which the webhook was answered is known to the millisecond. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Agent, fetch } from 'undici';
import type { PlacedOrder } from '../sandbox/customer.ts';
import { authHeaders } from '../sandbox/sepay/sign.ts';
import { makeTransfer, transferRequestSchema } from '../sandbox/sepay/transfer.ts';
import type { System } from '../sandbox/system.ts';

const ANSWER_LIMIT_MS = 30_000;
const FIRST_TRANSFER_ID = 1_000_000;

/** Milliseconds of the clock that Postgres on this host also reads. */
export type Paid = { sentAt: number; answeredAt: number };

export function openBank(system: System) {
  const secret = readFileSync(join(system.runDir, 'secrets', 'sepay_webhook_secret'), 'utf8');
  const agent = new Agent();
  let nextId = FIRST_TRANSFER_ID;
  return {
    /** Transfers the order's amount and sends the signed webhook. Throws when it is not answered with 200. */
    pay: async (order: PlacedOrder): Promise<Paid> => {
      const request = transferRequestSchema.parse({
        accountNumber: order.bank.accountNumber,
        amount: order.amountVnd,
        content: order.transferContent,
      });
      const transfer = makeTransfer(request, { nextId, now: new Date(), codePattern: undefined });
      nextId += 1;
      const body = JSON.stringify(transfer);
      const sentAt = Date.now();
      const answer = await fetch(`${system.apiUrl}/webhooks/sepay`, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          ...authHeaders({ mode: 'hmac', secret }, Math.floor(sentAt / 1_000), body),
        },
        body,
        dispatcher: agent,
        signal: AbortSignal.timeout(ANSWER_LIMIT_MS),
      });
      const answeredAt = Date.now();
      const text = await answer.text();
      if (answer.status !== 200) throw new Error(`the webhook was answered ${answer.status}: ${text}`);
      return { sentAt, answeredAt };
    },
    close: () => agent.close(),
  };
}
export type Bank = ReturnType<typeof openBank>;
