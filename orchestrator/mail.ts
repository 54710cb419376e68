import { createTransport } from 'nodemailer';

const SMTP_LIMIT_MS = 20_000;

export type Mail = { to: string; subject: string; text: string; messageId: string };
export type MailResult = { ok: true } | { ok: false; retry: boolean; detail: string };
export type SendMail = (mail: Mail) => Promise<MailResult>;

const SMTP_PERMANENT = 500;

/** `smtpUrl` is smtp://user:password@host:port or smtps://…; 5xx answers are permanent, everything else is tried again. */
export function makeMailer(smtpUrl: string, from: string, extraCaPem: string | undefined): SendMail {
  const transport = createTransport(
    {
      url: smtpUrl,
      connectionTimeout: SMTP_LIMIT_MS,
      greetingTimeout: SMTP_LIMIT_MS,
      socketTimeout: SMTP_LIMIT_MS,
      // Neither the password nor a customer's address goes over a line in clear.
      requireTLS: true,
      disableFileAccess: true,
      disableUrlAccess: true,
      ...(extraCaPem === undefined ? {} : { tls: { ca: extraCaPem } }),
    },
    { from },
  );
  return async (mail) => {
    try {
      await transport.sendMail(mail);
      return { ok: true };
    } catch (error) {
      const code = error instanceof Error && 'responseCode' in error ? Number(error.responseCode) : 0;
      return {
        ok: false,
        // A server that cannot speak TLS is set up wrongly, which is nothing against this mail.
        retry: code < SMTP_PERMANENT || (error instanceof Error && 'code' in error && error.code === 'ETLS'),
        detail: error instanceof Error ? error.message : String(error),
      };
    }
  };
}

const gigabytes = (bytes: number): string => (bytes / 1e9).toFixed(2);

/** The delivery mail, Vietnamese first. The message id is the job's own, so that a repeat is the same mail to a mailbox. */
export function deliveryMail(facts: {
  job_id: string;
  order_code: string;
  email: string;
  course_title: string;
  folder_id: string;
  files: number;
  bytes: number;
}): Mail {
  const link = `https://drive.google.com/drive/folders/${facts.folder_id}`;
  return {
    to: facts.email,
    subject: `Khóa học đã sẵn sàng / Your course is ready: ${facts.course_title.replace(/[\r\n]+/g, ' ')} (${facts.order_code})`,
    messageId: `<job-${facts.job_id}@lading>`,
    text: [
      `Khóa học "${facts.course_title}" của đơn hàng ${facts.order_code} đã nằm trong Google Drive của bạn:`,
      link,
      `${facts.files} tệp, ${gigabytes(facts.bytes)} GB. Hãy mở liên kết bằng tài khoản Google ${facts.email}.`,
      '',
      `The course "${facts.course_title}" of order ${facts.order_code} is in your Google Drive:`,
      link,
      `${facts.files} files, ${gigabytes(facts.bytes)} GB. Open the link with the Google account ${facts.email}.`,
      '',
    ].join('\n'),
  };
}
