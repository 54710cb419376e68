/** A hundred copies of one webhook at once, through to the customer: paid once, delivered once. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { authHeaders } from '../../sandbox/sepay/sign.ts';
import { makeTransfer, transferRequestSchema } from '../../sandbox/sepay/transfer.ts';
import { startE2e, type E2e } from './world.ts';

const COPIES = 100;
let e2e: E2e;
beforeAll(async () => {
  e2e = await startE2e();
  await e2e.putCourse('tiny');
}, 60_000);
afterAll(() => e2e.stop(), 60_000);

test('100 copies of one webhook at once: one payment, one job, one grant, one mail', async () => {
  const order = await e2e.customer.order('tiny', 'storm@shop.example');
  const secret = readFileSync(join(e2e.system.runDir, 'secrets', 'sepay_webhook_secret'), 'utf8');
  const wish = { accountNumber: order.bank.accountNumber, amount: order.amountVnd, content: order.transferContent };
  const transfer = makeTransfer(transferRequestSchema.parse(wish), {
    nextId: 700_000,
    now: new Date(),
    codePattern: undefined,
  });
  const body = JSON.stringify(transfer);
  const headers = {
    'Content-Type': 'application/json',
    ...authHeaders({ mode: 'hmac', secret }, Math.floor(Date.now() / 1_000), body),
  };
  const answers = await Promise.all(
    Array.from({ length: COPIES }, async () =>
      (await fetch(`${e2e.system.apiUrl}/webhooks/sepay`, { method: 'POST', headers, body })).text(),
    ),
  );
  expect(answers).toEqual(Array.from({ length: COPIES }, () => '{"success":true}'));
  await e2e.customer.waitFor(order, ['completed'], 50_000);
  const { rows } = await e2e.pool.query(
    `SELECT (SELECT count(*) FROM payments p WHERE p.order_id = o.id) AS payments,
            (SELECT count(*) FROM jobs j WHERE j.order_id = o.id) AS jobs,
            (SELECT count(*) FROM deliveries d JOIN jobs j ON j.id = d.job_id
             WHERE j.order_id = o.id AND d.granted_at IS NOT NULL AND d.permission_id IS NOT NULL) AS grants
     FROM orders o WHERE o.code = $1::text`,
    [order.code],
  );
  expect(rows).toEqual([{ payments: 1, jobs: 1, grants: 1 }]);
  const mails = (await (await fetch(`${e2e.system.mailControlUrl}/sandbox/mails`)).json()) as { to: unknown }[];
  expect(mails.filter((mail) => JSON.stringify(mail).includes('storm@shop.example'))).toHaveLength(1);
}, 60_000);
