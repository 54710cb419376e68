/** The API as a process of its own, on a test's database. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startProcess, type Started } from '../sandbox/process.ts';
import type { TestDatabase } from './database.ts';
import { BANK, MASTER_KEY, SECRETS, TOKEN_KEY } from '../api/test-setup.ts';

/** Its secrets are the files `sepay`, `master` and `token` of `dir`; its log is `api.log` there. */
export function startTestApiProcess(
  database: TestDatabase,
  dir: string,
  { sepay = SECRETS.join('\n'), master = MASTER_KEY, env = {} }: ProcessChanges = {},
): Promise<Started> {
  const file = (name: string, value: string): string => {
    const path = join(dir, name);
    writeFileSync(path, value, { mode: 0o600 });
    return path;
  };
  return startProcess({
    name: 'api',
    script: fileURLToPath(new URL('../api/main.ts', import.meta.url)),
    env: {
      PORT: '0',
      OPERATIONS_PORT: '0',
      PUBLIC_URL: 'https://api.example',
      DATABASE_URL_FILE: file('database', database.urlFor('lading_api')),
      ORDER_TOKEN_KEY_FILE: file('token', TOKEN_KEY.toString('base64')),
      MASTER_KEY_FILE: file('master', master.toString('base64')),
      SEPAY_WEBHOOK_SECRETS_FILE: file('sepay', sepay),
      BANK_BIN: BANK.bin,
      BANK_ACCOUNT_NUMBER: BANK.accountNumber,
      BANK_ACCOUNT_NAME: BANK.accountName,
      ...env,
    },
    logPath: join(dir, 'api.log'),
  });
}
type ProcessChanges = { sepay?: string; master?: Buffer; env?: Record<string, string> };
