/** The secrets of this process, read anew when their files change, and how old they are. */
import type { Logger } from 'pino';
import { masterKeysOf, parseMasterKeys } from '../keys/master-keys.ts';
import { makeSecretAges } from '../keys/secret-ages.ts';
import { watchSecrets } from '../keys/watch-secrets.ts';
import type { Config } from './config.ts';
import type { Metrics } from './metrics.ts';
import { parseServiceAccounts } from './service-accounts.ts';

export function watchOwnSecrets(config: Config, log: Logger, metrics: Metrics) {
  const secrets = watchSecrets(log);
  const masterKeyLines = secrets.watch(config.masterKeys, parseMasterKeys);
  const accounts = secrets.watch(config.google.accounts, parseServiceAccounts);
  let shopSecretMadeAt: Date | undefined;
  const ageOf = makeSecretAges(metrics.registry);
  ageOf('master', masterKeyLines.changedAt);
  ageOf('drive', accounts.changedAt);
  ageOf('shop_webhook', () => shopSecretMadeAt);
  return {
    masterKeys: masterKeysOf(masterKeyLines.value),
    accounts: accounts.value,
    /** The shop's stands in Postgres; whoever reads it there tells of it here. */
    noteShopSecret: (madeAt: Date | undefined): void => void (shopSecretMadeAt = madeAt),
    look: secrets.look,
    stop: secrets.stop,
  };
}
