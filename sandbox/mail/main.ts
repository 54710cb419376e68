import { z } from 'zod';
import { port } from '../../config/environment.ts';
import { makeFaults } from '../faults.ts';
import { commonEnvironment, runProgram } from '../run.ts';
import { serve } from '../serve.ts';
import { ensureTls } from '../tls.ts';
import { makeMailControl } from './control.ts';
import { startSmtp, type ReceivedMail } from './smtp.ts';

const schema = z
  .object({
    ...commonEnvironment,
    PORT: port().default(0),
    CONTROL_PORT: port().default(0),
    SANDBOX_TLS_DIR: z.string().optional(),
    SANDBOX_TLS_HOSTS: z.string().default(''),
    SANDBOX_SMTP_USER: z.string().optional(),
    SANDBOX_SMTP_PASSWORD: z.string().optional(),
  })
  .refine((config) => (config.SANDBOX_SMTP_USER === undefined) === (config.SANDBOX_SMTP_PASSWORD === undefined), {
    path: ['SANDBOX_SMTP_PASSWORD'],
    message: 'and SANDBOX_SMTP_USER go together',
  });

process.exit(
  await runProgram({
    name: 'sandbox-mail',
    schema,
    env: process.env,
    argv: process.argv.slice(2),
    start: async (config, log) => {
      const mails: ReceivedMail[] = [];
      const faults = makeFaults();
      const { SANDBOX_SMTP_USER: user, SANDBOX_SMTP_PASSWORD: password, SANDBOX_TLS_DIR: tlsDir } = config;
      const hosts = config.SANDBOX_TLS_HOSTS.split(',').filter((host) => host !== '');
      const smtp = await startSmtp({
        host: config.HOST,
        port: config.PORT,
        tls: tlsDir === undefined ? undefined : await ensureTls(tlsDir, hosts),
        auth: user === undefined || password === undefined ? undefined : { user, password },
        faults,
        mails,
        log,
      });
      const control = await serve({
        host: config.HOST,
        port: config.CONTROL_PORT,
        handler: () => makeMailControl(mails, faults),
      });
      return {
        fields: { url: `smtp://localhost:${smtp.port}`, controlUrl: control.url },
        stop: async () => {
          await Promise.all([smtp.stop(), control.stop()]);
        },
      };
    },
  }),
);
