import type { LookupAddress } from 'node:dns';
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { isPublicAddress } from './public-address.ts';

const LOOKUP_LIMIT_MS = 5_000;
const ADDRESSES_MAX = 16;

export type Found = { readonly addresses: readonly LookupAddress[] } | { readonly failed: 'unknown' | 'timeout' };

/** Every address of a name, or the address it is itself; at most sixteen. */
export async function lookupAll(host: string): Promise<Found> {
  const family = isIP(host);
  if (family !== 0) return { addresses: [{ address: host, family }] };
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<'timeout'>((resolve) => {
    timer = setTimeout(resolve, LOOKUP_LIMIT_MS, 'timeout');
  });
  try {
    const found = await Promise.race([lookup(host, { all: true, order: 'verbatim' }), limit]);
    if (found === 'timeout') return { failed: 'timeout' };
    return found.length === 0 ? { failed: 'unknown' } : { addresses: found };
  } catch {
    return { failed: 'unknown' };
  } finally {
    clearTimeout(timer);
  }
}

/** The first sixteen: a name with more has enough of them. */
export const someOf = (addresses: readonly LookupAddress[]): readonly LookupAddress[] =>
  addresses.slice(0, ADDRESSES_MAX);

/**
 * One answer that is not public refuses the whole name: a resolver under a stranger's control could otherwise mix one in
 * and wait for it to be picked. Callers connect to exactly these addresses and look nothing up again.
 */
export async function resolvePublic(
  host: string,
): Promise<Found | { readonly failed: 'not_public'; readonly addresses?: never }> {
  const found = await lookupAll(host);
  if ('failed' in found) return found;
  return found.addresses.every(({ address }) => isPublicAddress(address))
    ? { addresses: someOf(found.addresses) }
    : { failed: 'not_public' };
}
