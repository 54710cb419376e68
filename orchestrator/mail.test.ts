import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { pino } from 'pino';
import { makeFaults } from '../sandbox/faults.ts';
import { startSmtp, type ReceivedMail } from '../sandbox/mail/smtp.ts';
import { ensureTls, type TlsFiles } from '../sandbox/tls.ts';
import { makeMailer } from './mail.ts';

let dir: string;
let tls: TlsFiles;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'lading-mail-'));
  tls = await ensureTls(dir);
});
afterAll(() => rmSync(dir, { recursive: true }));

const MAIL = { to: 'reader@mail.example', subject: 'Ready', text: 'Here', messageId: '<one@lading>' };

async function sendTo(withTls: boolean): Promise<{ sent: unknown; mails: ReceivedMail[] }> {
  const mails: ReceivedMail[] = [];
  const smtp = await startSmtp({
    host: '127.0.0.1',
    port: 0,
    tls: withTls ? { cert: tls.cert, key: tls.key } : undefined,
    auth: undefined,
    faults: makeFaults(),
    mails,
    log: pino({ level: 'silent' }),
  });
  try {
    const send = makeMailer(`smtp://127.0.0.1:${smtp.port}`, 'Lading <noreply@lading.example>', tls.ca);
    return { sent: await send(MAIL), mails };
  } finally {
    await smtp.stop();
  }
}

test('a mail goes over TLS, also where the address does not ask for it', async () => {
  const { sent, mails } = await sendTo(true);
  expect(sent).toEqual({ ok: true });
  expect(mails).toMatchObject([{ to: ['reader@mail.example'] }]);
});

test('a server without STARTTLS gets no mail, and it is tried again', async () => {
  const { sent, mails } = await sendTo(false);
  expect(sent).toMatchObject({ ok: false, retry: true });
  expect(mails).toEqual([]);
});
