import { Argument, type Command } from 'commander';
import { z } from 'zod';
import { json, table } from './print.ts';
import { inPath, LIMIT, wholeNumber, type Shown, type Terminal } from './terminal.ts';

export function addOrders(program: Command, { overApi }: Terminal): void {
  program
    .command('orders')
    .description('what was ordered, by whom, and where it stands')
    .command('list', { isDefault: true })
    .description('the newest first')
    .option('--status <status>', 'for example pending, downloading, failed')
    .option('--code <code>', 'the one with this code')
    .option('--course <id>')
    .option('--email <address>')
    .option(...LIMIT)
    .option('--json')
    .action((options: Shown & { status?: string; code?: string; course?: string; email?: string; limit: number }) =>
      overApi(async (api) => {
        const { status, code, course: courseId, email, limit } = options;
        const found = await api.list('/v1/orders', 'orders', { status, code, courseId, email }, limit);
        if (options.json) return json(found);
        return table(found, ['code', 'status', 'courseId', 'email', 'amountVnd', 'paidVnd', 'failure', 'createdAt']);
      }),
    );
}

type Decision = { order?: string; sameAs?: string; amount?: number; reason: string };
const AMOUNT_MAX_VND = 999_999_999_999_999;
const totals = z.object({ totals: z.array(z.record(z.string(), z.unknown())) });
const ACTIONS = ['assign', 'refund-recorded', 'ignore', 'same-transfer'];

export function addPayments(program: Command, { overApi }: Terminal): void {
  const payments = program.command('payments').description('money');
  payments
    .command('inbox')
    .description('all that waits for a decision: money unplaced or left over, and events that were not understood')
    .option(...LIMIT)
    .option('--json')
    .action((options: Shown & { limit: number }) =>
      overApi(async (api) => {
        const items = await api.list('/v1/payments/inbox', 'items', {}, options.limit);
        if (options.json) return json(items);
        const told = items.map((item) => ({ ...item, content: item['content'] ?? item['raw'] }));
        return table<Record<string, unknown>>(told, [
          'id',
          'since',
          'reason',
          'amountVnd',
          'transferredAt',
          'proposedOrderCode',
          'mayRepeat',
          'content',
        ]);
      }),
    );
  payments
    .command('decide')
    .description('say, once, what becomes of something in the inbox')
    .argument('<item>', 'its id, for example payment:7 or order:CODE')
    .addArgument(new Argument('<action>', 'what is done').choices(ACTIONS))
    .option('--order <code>', 'the order that money is assigned to')
    .option('--same-as <payment>', 'the payment that it tells of once more')
    .option('--amount <vnd>', 'what is left over in an order, as the inbox shows it', wholeNumber(AMOUNT_MAX_VND))
    .requiredOption('--reason <text>', 'why; stays on record')
    .option('--json')
    .action((item: string, action: string, options: Shown & Decision) =>
      overApi(async (api) => {
        const { order: orderCode, sameAs, amount: amountVnd, reason } = options;
        const path = `/v1/payments/inbox/${inPath(item)}/decision`;
        const answer = await api.send('POST', path, { action, orderCode, sameAs, amountVnd, reason });
        const { job } = z.object({ job: z.string().nullable() }).parse(answer);
        return options.json ? json(answer) : `decided${job === null ? '' : `; job ${job} begins`}\n`;
      }),
    );
  payments
    .command('ledger')
    .description('how much money stands where; together it is the feed of the bank')
    .option('--json')
    .action((options: Shown) =>
      overApi(async (api) => {
        const answer = totals.parse(await api.get('/v1/payments/ledger')).totals;
        return options.json ? json(answer) : table(answer, ['stands', 'transfers', 'balanceVnd']);
      }),
    );
}
