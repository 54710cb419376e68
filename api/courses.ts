import type { Router } from '@koa/router';
import { listCourses } from '../sql/courses.ts';
import type { Pool } from '../sql/pool.ts';
import type { State } from './context.ts';

export function addCourseRoutes(router: Router<State>, { pool }: { pool: Pool }): void {
  router.get('/v1/courses', async (ctx) => {
    const courses = await listCourses(pool);
    ctx.body = { courses: courses.map(({ id, title, price_vnd }) => ({ id, title, priceVnd: price_vnd })) };
  });
}
