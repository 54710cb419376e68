/** What people look at. Pages are no part of the API's document: they may change with every release. */
import type { Router } from '@koa/router';
import type { ApiDeps } from '../contract/operation.ts';
import type { State } from '../context.ts';
import type { AnswerPage } from './answer-page.ts';
import { addAssetRoutes } from './asset-routes.ts';
import type { Assets } from './assets.ts';
import { addConsole } from './console/routes.ts';
import { addOrderPage } from './order/routes.ts';
import { addShopPage } from './shop/routes.ts';

/** What pages are made from, besides what the API is made from. */
export type PageDeps = ApiDeps & {
  answerPage: AnswerPage;
  /** Where customers find help. */
  contactEmail: string | undefined;
};

export function addPages(router: Router<State>, deps: PageDeps, assets: Assets): void {
  addAssetRoutes(router, assets);
  addShopPage(router, deps);
  addConsole(router, { ...deps, isTls: deps.desk.publicUrl.startsWith('https:') });
  addOrderPage(router, deps);
}
