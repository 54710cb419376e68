/** `/`: the catalogue and the order form. Ordering here is what ordering over the API is, with the same limits. */
import { randomUUID } from 'node:crypto';
import type { Router } from '@koa/router';
import { listCourses } from '../../../sql/courses.ts';
import type { Context, State } from '../../context.ts';
import { idempotencyKeyDigest, orderBody, orderRequest } from '../../orders/order-request.ts';
import { mintStatusToken } from '../../orders/status-token.ts';
import { takeOrder } from '../../orders/take-order.ts';
import { Problem, statusOf } from '../../problem.ts';
import { callerOf } from '../../rate-limit.ts';
import { spanText } from '../client/figures.ts';
import type { Language } from '../language.ts';
import { readForm } from '../read-form.ts';
import { seeOther } from '../see-other.ts';
import type { PageDeps } from '../routes.ts';
import { shopPage, type ShopForm } from './shop-page.ts';
import { SHOP } from './texts.ts';

type Errors = (language: Language) => ShopForm['errors'];

/** What a refused order says in the form. Undefined: it is no matter of the form. */
function errorsOf(problem: Problem): Errors | undefined {
  const { code } = problem;
  if (code === 'request_invalid') {
    const fields = new Set(problem.errors?.map(({ field }) => field));
    return (language) => ({
      ...(fields.has('courseId') && { courseId: SHOP[language].errors.courseId }),
      ...(fields.has('email') && { email: SHOP[language].errors.email }),
    });
  }
  if (code === 'course_unknown' || code === 'course_not_orderable')
    return (language) => ({ courseId: SHOP[language].errors.courseGone });
  if (code === 'idempotency_key_reused') return (language) => ({ form: SHOP[language].errors.twice });
  if (code === 'rate_limited') {
    const seconds = Number(problem.headers['Retry-After'] ?? 60);
    return (language) => ({ form: SHOP[language].errors.tooMany(spanText(language, seconds)) });
  }
  return undefined;
}

async function placeFromForm(deps: PageDeps, ctx: Context, fields: Record<string, string>): Promise<string> {
  await deps.limits.address(callerOf(ctx.ip));
  const body = orderBody.safeParse({ courseId: fields['courseId'], email: fields['email'] });
  if (!body.success)
    throw new Problem('request_invalid', undefined, {
      errors: body.error.issues.map(({ path, message }) => ({ field: path.join('.'), message })),
    });
  const key = idempotencyKeyDigest(fields['key'], null);
  const { order } = await takeOrder(deps, ctx.state.log, key, orderRequest(body.data, null));
  return mintStatusToken(deps.desk.tokenKey, order.id);
}

const one = (value: string | string[] | undefined): string => (Array.isArray(value) ? value[0] : value) ?? '';

export function addShopPage(router: Router<State>, deps: PageDeps): void {
  const { pool, answerPage } = deps;
  const fresh = { key: '', query: '', courseId: undefined, email: '' };

  router.get('/', async (ctx) => {
    const courses = await listCourses(pool);
    const courseId = one(ctx.query['course']) || undefined;
    const form = { ...fresh, key: randomUUID(), query: one(ctx.query['q']), courseId, errors: {} };
    answerPage(ctx, (language) => shopPage(language, courses, form));
  });

  router.post('/', async (ctx) => {
    const fields = await readForm(ctx.req);
    const placed = await placeFromForm(deps, ctx, fields).catch((error: unknown) => {
      if (error instanceof Problem && errorsOf(error)) return error;
      throw error;
    });
    if (typeof placed === 'string') return seeOther(ctx, `/o/${placed}`);
    const courses = await listCourses(pool);
    ctx.status = statusOf(placed.code);
    ctx.set(placed.headers);
    const typed = { ...fresh, key: randomUUID(), courseId: fields['courseId'], email: fields['email'] ?? '' };
    return answerPage(ctx, (language) =>
      shopPage(language, courses, { ...typed, errors: errorsOf(placed)?.(language) ?? {} }),
    );
  });
}
