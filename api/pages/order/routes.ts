/** `/o/TOKEN`: what an order's customer looks at, and the one thing he can do there. */
import type { Router } from '@koa/router';
import { cancelOrder } from '../../../sql/orders.ts';
import type { State } from '../../context.ts';
import { seeOrderBehind } from '../../orders/see-order.ts';
import { readForm } from '../read-form.ts';
import type { PageDeps } from '../routes.ts';
import { seeOther } from '../see-other.ts';
import { orderPage } from './order-page.ts';

export function addOrderPage(router: Router<State>, deps: PageDeps): void {
  const { answerPage, contactEmail: contact } = deps;

  router.get('/o/:token', async (ctx) => {
    const { token = '' } = ctx.params;
    const seen = await seeOrderBehind(deps, token);
    const now = new Date();
    answerPage(ctx, (language) => orderPage(language, { seen, token, contact, now }));
  });

  router.post('/o/:token/cancel', async (ctx) => {
    const { token = '' } = ctx.params;
    const { order } = await seeOrderBehind(deps, token);
    await readForm(ctx.req);
    // Where money came first the page says so.
    if ((await cancelOrder(deps.pool, order.id)) === 'cancelled')
      ctx.state.log.info({ order: order.code }, 'order cancelled');
    seeOther(ctx, `/o/${token}`);
  });
}
