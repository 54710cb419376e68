import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { pino } from 'pino';
import { ConfigError } from '../config/environment.ts';
import { listenOnSocket, SocketTakenError } from '../net/listen-on-socket.ts';
import { makeOperationsServer } from '../net/operations-server.ts';
import { readConfig, type Config } from './config.ts';
import { makeGuard } from './guard.ts';
import { makeMetrics } from './metrics.ts';
import { UpstreamError } from './upstream.ts';

const EXIT_CONFIG = 78;
const EXIT_UNAVAILABLE = 69;

function configOrExit(): Config {
  try {
    return readConfig(process.env);
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
const log = pino({ level: config.logLevel, base: { process: 'guard' } });
const metrics = makeMetrics();
const operations = makeOperationsServer(metrics.registry);
try {
  const guard = await makeGuard(config, { log, metrics });
  await listenOnSocket(guard, { folder: config.folder, path: config.socketPath, openTo: 'group' });
} catch (error) {
  if (!(error instanceof SocketTakenError) && !(error instanceof UpstreamError)) throw error;
  log.fatal({ err: error }, 'not started');
  process.exit(EXIT_UNAVAILABLE);
}
operations.listen(config.port, config.host);
await once(operations, 'listening');
const { address, port } = operations.address() as AddressInfo;
log.info({ socket: config.socketPath, url: `http://${address}:${port}` }, 'listening');

// Streams it carries are gone on with by whoever comes after: there is nothing to wait for.
for (const signal of ['SIGTERM', 'SIGINT'] as const)
  process.once(signal, () => {
    log.info('stopped');
    process.exit(0);
  });
