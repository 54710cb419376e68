import type { Router } from '@koa/router';
import type { State } from '../context.ts';
import { Problem } from '../problem.ts';
import type { Assets } from './assets.ts';

const IMMUTABLE = 'public, max-age=31536000, immutable';

/** Ready compressed, and never changing: another content has another address. */
export function addAssetRoutes(router: Router<State>, assets: Assets): void {
  router.get('/assets/:hash/:name', (ctx) => {
    const { hash, name } = ctx.params;
    const asset = `/assets/${hash}` === assets.folder ? assets.find(name ?? '') : undefined;
    if (!asset) throw new Problem('not_found');
    ctx.vary('Accept-Encoding');
    const encoding = ctx.acceptsEncodings('br', 'gzip', 'identity') || 'identity';
    if (encoding !== 'identity') ctx.set('Content-Encoding', encoding);
    ctx.set('Cache-Control', IMMUTABLE);
    ctx.set('Content-Type', asset.type);
    ctx.body = asset[encoding as 'br' | 'gzip' | 'identity'];
  });
}
