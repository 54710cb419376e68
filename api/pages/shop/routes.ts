import type { Router } from '@koa/router';
import { listCourses } from '../../../sql/courses.ts';
import type { State } from '../../context.ts';
import type { PageDeps } from '../routes.ts';
import { shopPage } from './shop-page.ts';

export function addShopPage(router: Router<State>, { pool, answerPage }: PageDeps): void {
  router.get('/', async (ctx) => {
    const courses = await listCourses(pool);
    answerPage(ctx, (language) => shopPage(language, courses));
  });
}
