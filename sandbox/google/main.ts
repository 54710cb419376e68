import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { port } from '../../config/environment.ts';
import { ensureServiceAccount } from '../credentials.ts';
import { commonEnvironment, runProgram } from '../run.ts';
import { serve } from '../serve.ts';
import { ensureTls } from '../tls.ts';
import { makeGoogle } from './app.ts';

const schema = z.object({
  ...commonEnvironment,
  PORT: port().default(0),
  PUBLIC_URL: z.url({ protocol: /^https$/ }).optional(),
  SANDBOX_TLS_DIR: z.string(),
  SANDBOX_TLS_HOSTS: z.string().default(''),
  SANDBOX_CREDENTIALS_DIR: z.string(),
  SANDBOX_DATA_DIR: z.string().optional(),
  SANDBOX_DISCARD: z.enum(['0', '1']).default('0'),
  SANDBOX_SHARED_DRIVE_ID: z.string().min(1).default('0ALadingSandboxDrive'),
});

/** The drive ends with its process, and so do the contents that only it could find. */
async function makeRunDir(parent: string): Promise<string> {
  await mkdir(parent, { recursive: true });
  return await mkdtemp(join(parent, 'drive-'));
}

process.exit(
  await runProgram({
    name: 'sandbox-google',
    schema: schema.refine((config) => config.SANDBOX_DISCARD === '1' || config.SANDBOX_DATA_DIR !== undefined, {
      path: ['SANDBOX_DATA_DIR'],
      message: 'needed unless SANDBOX_DISCARD=1',
    }),
    env: process.env,
    argv: process.argv.slice(2),
    start: async (config, log) => {
      const hosts = config.SANDBOX_TLS_HOSTS.split(',').filter((host) => host !== '');
      const tls = await ensureTls(config.SANDBOX_TLS_DIR, hosts);
      const { account } = await ensureServiceAccount(config.SANDBOX_CREDENTIALS_DIR);
      const dataDir = config.SANDBOX_DISCARD === '1' ? undefined : await makeRunDir(config.SANDBOX_DATA_DIR ?? '.');
      const { url, stop } = await serve({
        host: config.HOST,
        port: config.PORT,
        tls,
        handler: (address) =>
          makeGoogle({
            accounts: [account],
            publicUrl: (config.PUBLIC_URL ?? address).replace(/\/$/, ''),
            sharedDriveId: config.SANDBOX_SHARED_DRIVE_ID,
            dataDir,
            log,
          }),
      });
      return {
        fields: { url, publicUrl: config.PUBLIC_URL ?? url },
        stop: async () => {
          await stop();
          if (dataDir !== undefined) await rm(dataDir, { recursive: true, force: true });
        },
      };
    },
  }),
);
