import { lookup } from 'node:dns/promises';
import type { LookupAddress } from 'node:dns';
import { isIP } from 'node:net';
import { isPublicAddress } from './address.ts';
import { formatTarget, type Target } from './target.ts';
import type { RefusalCode } from './refusal.ts';

/** Names that connect to a given target without the address check: own storage in a private network, a sandbox. */
export type HostMap = ReadonlyMap<string, Target>;

export type Resolved =
  { readonly addresses: readonly LookupAddress[]; readonly port: number } | { readonly refused: RefusalCode };

const LOOKUP_LIMIT_MS = 5_000;
const ADDRESSES_MAX = 16;

async function lookupAll(host: string): Promise<LookupAddress[] | 'unknown' | 'timeout'> {
  const family = isIP(host);
  if (family !== 0) return [{ address: host, family }];
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<'timeout'>((resolve) => {
    timer = setTimeout(resolve, LOOKUP_LIMIT_MS, 'timeout');
  });
  try {
    return await Promise.race([lookup(host, { all: true, order: 'verbatim' }), limit]);
  } catch {
    return 'unknown';
  } finally {
    clearTimeout(timer);
  }
}

/**
 * The addresses a tunnel to `target` may use. One answer that is not public refuses the whole name: a resolver under a
 * stranger's control could otherwise mix one in and wait for it to be picked. Callers connect to exactly these and look
 * nothing up again.
 */
export async function resolveTarget(target: Target, hostMap: HostMap): Promise<Resolved> {
  const mapped = hostMap.get(formatTarget(target));
  const { host, port } = mapped ?? target;
  const found = await lookupAll(host);
  if (found === 'timeout') return { refused: 'upstream_timeout' };
  if (found === 'unknown' || found.length === 0) return { refused: 'name_unknown' };
  if (mapped === undefined && !found.every(({ address }) => isPublicAddress(address)))
    return { refused: 'address_refused' };
  return { addresses: found.slice(0, ADDRESSES_MAX), port };
}
