/** Where the shop's own system listens for events (as lading_owner). */
import type { Command } from 'commander';
import { mayCall } from '../config/sandbox-origins.ts';
import type { Pool } from '../sql/pool.ts';
import { findShopEndpoint, setShopEndpoint, switchShopEndpoint } from '../sql/shop.ts';
import { json } from './print.ts';
import type { Terminal } from './terminal.ts';

async function set(pool: Pool, person: string, url: string, sandboxOrigins: ReadonlySet<string>): Promise<string> {
  const parsed = URL.parse(url);
  if (!parsed || !mayCall(url, sandboxOrigins)) throw new Error('the address must be https');
  if (parsed.username !== '' || parsed.password !== '') throw new Error('the address must not hold a password');
  await setShopEndpoint(pool, parsed.href, person);
  return `orders from now on are told to ${parsed.href}\n`;
}

async function turn(pool: Pool, person: string, on: boolean): Promise<string> {
  if (!(await switchShopEndpoint(pool, on, person))) throw new Error('no endpoint is set');
  return on ? 'enabled; what waits is told now\n' : 'disabled; events wait until it is enabled\n';
}

/** `sandbox`: the stand-in to accept over plain HTTP as well. */
export function addShop(program: Command, { onPostgres }: Terminal): void {
  const shop = program.command('shop').description("what the shop's own system is told of its orders");
  shop
    .command('set <url>')
    .description('tell orders to this address from now on; enables it (as lading_owner)')
    .option('--sandbox', 'it is a stand-in: plain HTTP is taken')
    .action((url: string, { sandbox }: { sandbox?: true }) =>
      onPostgres((pool, person) => set(pool, person, url, new Set(sandbox ? [URL.parse(url)?.origin ?? ''] : []))),
    );
  shop
    .command('enable')
    .description('send again, after it was disabled (as lading_owner)')
    .action(() => onPostgres((pool, person) => turn(pool, person, true)));
  shop
    .command('disable')
    .description('keep events until it is enabled (as lading_owner)')
    .action(() => onPostgres((pool, person) => turn(pool, person, false)));
  shop
    .command('show')
    .description('the address and whether it is enabled')
    .action(() => onPostgres(async (pool) => json((await findShopEndpoint(pool)) ?? null)));
}
