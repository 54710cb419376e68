import type { Dispatcher } from 'undici';
import type { Envelope } from '../contract/envelope.ts';
import type { RetryLimits } from '../retry.ts';
import { makeManifestProvider, PROVIDER_RETRY } from './manifest.ts';
import type { Provider } from './provider.ts';

/** The provider that an envelope names; what only the rarer ones need is loaded where they are. */
export async function makeProvider(
  https: Dispatcher,
  source: Envelope['source'],
  retry: RetryLimits = PROVIDER_RETRY,
): Promise<Provider> {
  if (source.provider === 'manifest') return makeManifestProvider({ https, ...source, bearer: source.bearer, retry });
  if (source.provider === 'hls')
    return (await import('./hls.ts')).makeHlsProvider({ https, ...source, bearer: source.bearer, retry });
  return (await import('./udemy.ts')).makeUdemyProvider({ https, ...source, retry });
}
