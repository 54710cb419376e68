import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from '@jest/globals';
import { createTransport } from 'nodemailer';
import pino from 'pino';
import { faultSchema, makeFaults } from '../faults.ts';
import { ensureTls } from '../tls.ts';
import { parseMail } from './parse-mail.ts';
import { startSmtp, type ReceivedMail } from './smtp.ts';

const undo: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).toReversed()) await step();
});

async function started(auth?: { user: string; password: string }, withTls = false) {
  const dir = await mkdtemp(join(tmpdir(), 'sandbox-mail-'));
  const tls = withTls ? await ensureTls(dir) : undefined;
  const mails: ReceivedMail[] = [];
  const faults = makeFaults();
  const { port, stop } = await startSmtp({
    host: '127.0.0.1',
    port: 0,
    tls,
    auth,
    faults,
    mails,
    log: pino({ level: 'silent' }),
  });
  undo.push(async () => await rm(dir, { recursive: true, force: true }), stop);
  const send = async (password = auth?.password, to = 'learner@example.org') => {
    const transport = createTransport({
      host: 'localhost',
      port,
      requireTLS: withTls,
      ...(tls ? { tls: { ca: tls.ca } } : {}),
      ...(auth ? { auth: { user: auth.user, pass: password ?? '' } } : {}),
    });
    const subject = 'Khóa học của bạn đã sẵn sàng: một dòng tiêu đề dài hơn bảy mươi sáu ký tự để bị gấp lại';
    const text = `Xin chào,\n\nĐây là khóa học = "Quản trị".\n${'x'.repeat(200)}\n`;
    const html = '<p>Xin chào</p>';
    const { messageId } = await transport.sendMail({
      from: 'Lading <noreply@lading.example>',
      to,
      subject,
      text,
      html,
    });
    return { messageId, subject, text, html };
  };
  return { mails, faults, send };
}

test('a mail sent over STARTTLS with a password is kept, and read as it was written', async () => {
  const { mails, send } = await started({ user: 'lading', password: 'p' }, true);
  const sent = await send();
  expect(mails).toEqual([
    {
      ...sent,
      from: 'noreply@lading.example',
      to: ['learner@example.org'],
      headers: { from: 'Lading <noreply@lading.example>', to: 'learner@example.org' },
      receivedAt: expect.any(String),
    },
  ]);
});

test('a wrong password is refused with 535', async () => {
  const { mails, send } = await started({ user: 'lading', password: 'p' });
  await expect(send('wrong')).rejects.toMatchObject({ responseCode: 535 });
  expect(mails).toEqual([]);
});

test('451 to the content once, 550 to one recipient: only what was accepted is kept', async () => {
  const { mails, faults, send } = await started();
  faults.add(faultSchema.parse({ match: { method: 'DATA' }, status: 451, times: 1 }));
  faults.add(faultSchema.parse({ match: { method: 'RCPT', path: '^gone@' }, status: 550 }));
  await expect(send()).rejects.toMatchObject({ responseCode: 451 });
  await expect(send(undefined, 'gone@example.org')).rejects.toMatchObject({ responseCode: 550 });
  expect(mails).toEqual([]);
  const { messageId } = await send();
  expect(mails.map((mail) => mail.messageId)).toEqual([messageId]);
});

test('encoded words that cut a character in two are put together', () => {
  const [first, second] = [Buffer.from('Chào').subarray(0, 3), Buffer.from('Chào').subarray(3)];
  const raw = `Subject: =?UTF-8?B?${first.toString('base64')}?=\r\n =?utf-8?Q?=${second[0]?.toString(16)}o_=3D?= x\r\n\r\nhi`;
  expect(parseMail(Buffer.from(raw))).toMatchObject({ subject: 'Chào = x', text: 'hi' });
});
