import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { SMTPServer, type SMTPServerAddress } from 'smtp-server';
import type { Faults } from '../faults.ts';
import type { Log } from '../run.ts';
import { parseMail, type ParsedMail } from './parse-mail.ts';

const MAIL_MAX_BYTES = 10 * 1024 * 1024;
const MAILS_MAX = 10_000;
const CLOSE_TIMEOUT_MS = 1_000;
const SOCKET_TIMEOUT_MS = 60_000;

/** A mail as it was taken: headers as written, and the envelope that SMTP really delivered to. */
export type ReceivedMail = Omit<ParsedMail, 'to' | 'from'> & {
  from: string;
  /** Envelope recipients. */
  to: string[];
  headers: { from: string; to: string };
  receivedAt: string;
};

export type SmtpOptions = {
  host: string;
  port: number;
  /** With it STARTTLS is offered, and AUTH is taken over TLS only. */
  tls: { cert: string; key: string } | undefined;
  auth: { user: string; password: string } | undefined;
  faults: Faults;
  mails: ReceivedMail[];
  log: Log;
};

class Reply extends Error {
  override name = 'Reply';
  readonly responseCode: number;
  constructor(responseCode: number, message: string) {
    super(message);
    this.responseCode = responseCode;
  }
}

const TEXT: Readonly<Record<number, string>> = {
  421: '4.3.2 Service not available',
  450: '4.2.1 Mailbox busy',
  451: '4.7.1 Try again later',
  452: '4.2.2 Over quota',
  550: '5.1.1 User unknown',
};

/** An SMTP server that keeps every mail it accepts; faults match the command and the address. */
export async function startSmtp(options: SmtpOptions): Promise<{ port: number; stop: () => Promise<void> }> {
  const { tls, auth, faults, mails, log } = options;
  const judge = (command: string, address: string, callback: (error?: Error | null) => void): void => {
    const { status, message, latencyMs = 0 } = faults.take(command, address) ?? {};
    const reply = status === undefined ? null : new Reply(status, message ?? TEXT[status] ?? 'Sandbox fault');
    setTimeout(callback, latencyMs, reply);
  };

  const server = new SMTPServer({
    ...tls,
    secure: false,
    name: 'sandbox',
    size: MAIL_MAX_BYTES,
    authOptional: auth === undefined,
    allowInsecureAuth: tls === undefined,
    disabledCommands: [...(tls ? [] : ['STARTTLS']), ...(auth ? [] : ['AUTH'])],
    disableReverseLookup: true,
    closeTimeout: CLOSE_TIMEOUT_MS,
    socketTimeout: SOCKET_TIMEOUT_MS,
    onAuth: ({ username = '', password = '' }, _session, callback) => {
      const isRight = username === auth?.user && password === auth.password;
      judge('AUTH', username, (fault) => {
        if (fault) callback(fault);
        else if (isRight) callback(null, { user: username });
        else callback(new Reply(535, '5.7.8 Authentication failed'));
      });
    },
    onMailFrom: ({ address }, _session, callback) => judge('MAIL', address, callback),
    onRcptTo: ({ address }, _session, callback) => judge('RCPT', address, callback),
    onData: (stream, { envelope }, callback) => {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => {
        if (!stream.sizeExceeded) chunks.push(chunk);
      });
      stream.on('end', () => {
        if (stream.sizeExceeded) return callback(new Reply(552, '5.3.4 Message too big'));
        judge('DATA', envelope.rcptTo.map(({ address }) => address).join(','), (fault) => {
          if (fault) return callback(fault);
          const received = receivedMail(parseMail(Buffer.concat(chunks)), envelope);
          if (mails.push(received) > MAILS_MAX) mails.shift();
          log.info({ messageId: received.messageId, to: received.to }, 'mail accepted');
          callback(null, `2.0.0 Ok: queued`);
        });
      });
    },
  });
  server.on('error', (error: unknown) => log.debug({ err: error }, 'connection ended early'));
  const listening = server.listen(options.port, options.host);
  await once(listening, 'listening');
  return {
    port: (listening.address() as AddressInfo).port,
    stop: async () => await new Promise((resolve) => server.close(() => resolve())),
  };
}

const receivedMail = (
  { from, to, ...mail }: ParsedMail,
  envelope: { mailFrom: SMTPServerAddress | false; rcptTo: SMTPServerAddress[] },
): ReceivedMail => ({
  ...mail,
  from: envelope.mailFrom === false ? '' : envelope.mailFrom.address,
  to: envelope.rcptTo.map(({ address }) => address),
  headers: { from, to },
  receivedAt: new Date().toISOString(),
});
