import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { pino } from 'pino';
import { ConfigError } from '../config/environment.ts';
import { readEgressConfig, type EgressConfig } from './config.ts';
import { makeMetrics } from './metrics.ts';
import { listenOnSocket, SocketTakenError } from '../net/listen-on-socket.ts';
import { makeOperationsServer } from '../net/operations-server.ts';
import { makeEgressServer } from './server.ts';

const EXIT_CONFIG = 78;
const EXIT_UNAVAILABLE = 69;

function configOrExit(): EgressConfig {
  try {
    return readEgressConfig(process.env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return process.exit(EXIT_CONFIG);
  }
}

const config = configOrExit();
if (process.argv.includes('--check')) {
  process.stdout.write('ok\n');
  process.exit(0);
}

const log = pino({ level: config.logLevel, base: { process: 'egress' } });
const metrics = makeMetrics();
const egress = makeEgressServer({ ...config, log, metrics });
const operations = makeOperationsServer(metrics.registry);

try {
  await listenOnSocket(egress.server, { folder: config.folder, path: config.socketPath, openTo: 'everyone' });
} catch (error) {
  if (!(error instanceof SocketTakenError)) throw error;
  log.fatal({ socket: config.socketPath }, error.message);
  process.exit(EXIT_UNAVAILABLE);
}
operations.listen(config.port, config.host);
await once(operations, 'listening');
const { address, port } = operations.address() as AddressInfo;
log.info({ socket: config.socketPath, url: `http://${address}:${port}` }, 'listening');

async function stop(): Promise<void> {
  operations.closeAllConnections();
  operations.close();
  await egress.close();
  log.info('stopped');
  process.exit(0);
}
process.once('SIGTERM', () => void stop());
process.once('SIGINT', () => void stop());
