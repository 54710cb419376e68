import { z } from 'zod';
import { port } from '../../config/environment.ts';
import { commonEnvironment, runProgram } from '../run.ts';
import { serve } from '../serve.ts';
import { makeSePay } from './app.ts';
import type { WebhookAuth } from './sign.ts';

const schema = z
  .object({
    ...commonEnvironment,
    PORT: port().default(0),
    SANDBOX_WEBHOOK_URL: z.url(),
    SANDBOX_WEBHOOK_AUTH: z.enum(['hmac', 'apikey', 'none']).default('hmac'),
    SANDBOX_WEBHOOK_SECRET: z.string().min(1).optional(),
    SANDBOX_WEBHOOK_RETRY_SCALE: z.coerce.number().pipe(z.number().positive()).optional(),
    SANDBOX_API_TOKEN: z.string().min(1).optional(),
    SANDBOX_PAYMENT_CODE_PATTERN: z.string().optional(),
  })
  .refine((config) => config.SANDBOX_WEBHOOK_AUTH === 'none' || config.SANDBOX_WEBHOOK_SECRET !== undefined, {
    path: ['SANDBOX_WEBHOOK_SECRET'],
    message: 'needed unless SANDBOX_WEBHOOK_AUTH=none',
  });

function authOf({
  SANDBOX_WEBHOOK_AUTH: mode,
  SANDBOX_WEBHOOK_SECRET: secret = '',
}: z.infer<typeof schema>): WebhookAuth {
  if (mode === 'none') return { mode };
  return mode === 'hmac' ? { mode, secret } : { mode, key: secret };
}

process.exit(
  await runProgram({
    name: 'sandbox-sepay',
    schema,
    env: process.env,
    argv: process.argv.slice(2),
    start: async (config, log) => {
      const stopping = new AbortController();
      const pattern = config.SANDBOX_PAYMENT_CODE_PATTERN;
      const { url, stop } = await serve({
        host: config.HOST,
        port: config.PORT,
        handler: () =>
          makeSePay({
            webhookUrl: config.SANDBOX_WEBHOOK_URL,
            auth: authOf(config),
            retryScale: config.SANDBOX_WEBHOOK_RETRY_SCALE,
            codePattern: pattern === undefined ? undefined : new RegExp(pattern, 'i'),
            apiToken: config.SANDBOX_API_TOKEN,
            stop: stopping.signal,
            log,
          }),
      });
      return {
        fields: { url },
        stop: async () => {
          stopping.abort();
          await stop();
        },
      };
    },
  }),
);
