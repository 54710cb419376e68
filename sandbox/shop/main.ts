import { z } from 'zod';
import { port } from '../../config/environment.ts';
import { makeFaults } from '../faults.ts';
import { commonEnvironment, runProgram } from '../run.ts';
import { serve } from '../serve.ts';
import { makeShop } from './app.ts';

const schema = z.object({
  ...commonEnvironment,
  PORT: port().default(0),
  /** What events are signed with, one a line; none yet: they are told over `PUT /sandbox/secrets`. */
  SANDBOX_SHOP_SECRETS: z.string().default(''),
});

process.exit(
  await runProgram({
    name: 'sandbox-shop',
    schema,
    env: process.env,
    argv: process.argv.slice(2),
    start: async (config, log) => {
      const secrets = config.SANDBOX_SHOP_SECRETS.split('\n').flatMap((line) => line.trim() || []);
      const { handler } = makeShop({ secrets, faults: makeFaults(), log });
      const { url, stop } = await serve({ host: config.HOST, port: config.PORT, handler: () => handler });
      return { fields: { url, eventsUrl: `${url}/webhooks/lading` }, stop };
    },
  }),
);
