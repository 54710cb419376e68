import { join } from 'node:path';
import { z } from 'zod';
import { port } from '../../config/environment.ts';
import { commonEnvironment, runProgram } from '../run.ts';
import { serve } from '../serve.ts';
import { ensureTls } from '../tls.ts';
import { makeProvider } from './app.ts';
import { openHashCache } from './hash-cache.ts';

const bytes = (byDefault: number) => z.coerce.number().pipe(z.int().min(1)).default(byDefault);
const schema = z
  .object({
    ...commonEnvironment,
    PORT: port().default(0),
    SANDBOX_TLS_DIR: z.string(),
    SANDBOX_TLS_HOSTS: z.string().default(''),
    SANDBOX_COURSES_DIR: z.string().optional(),
    SANDBOX_HASHES_PATH: z.string().optional(),
    SANDBOX_PROVIDER_TOKEN: z.string().optional(),
    SANDBOX_SLOW_BYTES: bytes(2 * 1024 * 1024),
    SANDBOX_SLOW_BYTES_PER_SECOND: bytes(64 * 1024),
  })
  .refine((config) => config.SANDBOX_COURSES_DIR !== undefined || config.SANDBOX_HASHES_PATH === undefined, {
    path: ['SANDBOX_HASHES_PATH'],
    message: 'means nothing without SANDBOX_COURSES_DIR',
  });

process.exit(
  await runProgram({
    name: 'sandbox-provider',
    schema,
    env: process.env,
    argv: process.argv.slice(2),
    start: async (config, log) => {
      const coursesDir = config.SANDBOX_COURSES_DIR;
      const hosts = config.SANDBOX_TLS_HOSTS.split(',').filter((host) => host !== '');
      const tls = await ensureTls(config.SANDBOX_TLS_DIR, hosts);
      const hashes = await openHashCache(config.SANDBOX_HASHES_PATH ?? join(coursesDir ?? '.', '.hashes.json'), log);
      const { url, stop } = await serve({
        host: config.HOST,
        port: config.PORT,
        tls,
        handler: () =>
          makeProvider({
            coursesDir,
            hashes,
            token: config.SANDBOX_PROVIDER_TOKEN,
            slow: { bytes: config.SANDBOX_SLOW_BYTES, bytesPerSecond: config.SANDBOX_SLOW_BYTES_PER_SECOND },
            log,
          }),
      });
      return { fields: { url }, stop };
    },
  }),
);
