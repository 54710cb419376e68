/** A process that tells the shop, for being killed in the middle of it: `node test/shop-child.ts` with its settings in SHOP. */
import { pino } from 'pino';
import { oneMasterKey } from '../keys/master-keys.ts';
import { startOutbox } from '../orchestrator/shop/outbox.ts';
import { makePost } from '../orchestrator/shop/post.ts';
import { makePool } from '../sql/pool.ts';

const settings = JSON.parse(process.env['SHOP'] ?? '{}') as {
  databaseUrl: string;
  masterKey: string;
  origin: string;
  leaseSeconds: number;
};
const pool = makePool({
  connectionString: settings.databaseUrl,
  applicationName: 'shop child',
  max: 4,
  onError: () => undefined,
});
startOutbox(
  {
    pool,
    log: pino(),
    masterKeys: oneMasterKey(Buffer.from(settings.masterKey, 'base64')),
    post: makePost(new Set([settings.origin])),
    retryBaseSeconds: 1,
    onTried: () => undefined,
    onDisabled: () => undefined,
    onSecret: () => undefined,
  },
  settings.leaseSeconds,
);
