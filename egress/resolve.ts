import type { LookupAddress } from 'node:dns';
import { lookupAll, resolvePublic, someOf } from '../net/resolve-public.ts';
import { formatTarget, type Target } from './target.ts';
import type { RefusalCode } from './refusal.ts';

/** Names that connect to a given target without the address check: own storage in a private network, a sandbox. */
export type HostMap = ReadonlyMap<string, Target>;

export type Resolved =
  { readonly addresses: readonly LookupAddress[]; readonly port: number } | { readonly refused: RefusalCode };

const REFUSALS = {
  timeout: 'upstream_timeout',
  unknown: 'name_unknown',
  not_public: 'address_refused',
} as const satisfies Record<string, RefusalCode>;

/** The addresses a tunnel to `target` may use. Callers connect to exactly these and look nothing up again. */
export async function resolveTarget(target: Target, hostMap: HostMap): Promise<Resolved> {
  const mapped = hostMap.get(formatTarget(target));
  const { host, port } = mapped ?? target;
  const found = mapped === undefined ? await resolvePublic(host) : await lookupAll(host);
  if ('failed' in found) return { refused: REFUSALS[found.failed] };
  return { addresses: someOf(found.addresses), port };
}
