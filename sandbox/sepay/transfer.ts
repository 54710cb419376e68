import { z } from 'zod';

/** What a test or the demo says of a transfer; the rest is filled in as a bank and SePay would. */
export const transferRequestSchema = z.strictObject({
  accountNumber: z.string().min(1),
  amount: z.int().min(1),
  content: z.string(),
  transferType: z.enum(['in', 'out']).default('in'),
  /** `YYYY-MM-DD HH:mm:ss` in Vietnam's time; absent: now. */
  transactionDate: z
    .string()
    .regex(/^\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}$/)
    .optional(),
  gateway: z.string().default('MBBank'),
  subAccount: z.string().nullable().default(null),
  referenceCode: z.string().nullable().optional(),
  /** SePay's own number; absent: the next one. */
  id: z.int().min(1).optional(),
  code: z.string().nullable().optional(),
  /** False: the webhook never comes, and only the list tells of the transfer. */
  webhook: z.boolean().default(true),
});
export type TransferRequest = z.infer<typeof transferRequestSchema>;

/** The webhook's body, in SePay's order of fields. Amounts are whole VND. */
export type Transfer = {
  id: number;
  gateway: string;
  transactionDate: string;
  accountNumber: string;
  subAccount: string | null;
  code: string | null;
  content: string;
  transferType: 'in' | 'out';
  description: string;
  transferAmount: number;
  accumulated: number;
  referenceCode: string | null;
};

const VIETNAM = new Intl.DateTimeFormat('sv-SE', {
  timeZone: 'Asia/Ho_Chi_Minh',
  dateStyle: 'short',
  timeStyle: 'medium',
});

/** `YYYY-MM-DD HH:mm:ss`, Vietnam's time, no zone. */
export const vietnamTime = (at: Date): string => VIETNAM.format(at);

/** `codePattern` is the payment code SePay was told to look for; without one it finds none. */
export function makeTransfer(
  request: TransferRequest,
  filling: { nextId: number; now: Date; codePattern: RegExp | undefined },
): Transfer {
  const id = request.id ?? filling.nextId;
  const transactionDate = request.transactionDate ?? vietnamTime(filling.now);
  const found = filling.codePattern === undefined ? null : (filling.codePattern.exec(request.content)?.[0] ?? null);
  const day = transactionDate.slice(2, 10).replaceAll('-', '');
  return {
    id,
    gateway: request.gateway,
    transactionDate,
    accountNumber: request.accountNumber,
    subAccount: request.subAccount,
    code: request.code === undefined ? found : request.code,
    content: request.content,
    transferType: request.transferType,
    description: `BankAPINotify ${request.content}`,
    transferAmount: request.amount,
    // Several banks report no balance.
    accumulated: 0,
    referenceCode:
      request.referenceCode === undefined ? `FT${day}${String(id).padStart(8, '0')}` : request.referenceCode,
  };
}
