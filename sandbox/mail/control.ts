import type { RequestListener } from 'node:http';
import { Router } from '@koa/router';
import Koa from 'koa';
import type { Faults } from '../faults.ts';
import { addFaultRoutes } from '../faults-over-http.ts';
import type { ReceivedMail } from './smtp.ts';

/** `GET` and `DELETE /sandbox/mails`, and the faults. */
export function makeMailControl(mails: ReceivedMail[], faults: Faults): RequestListener {
  const router = new Router();
  addFaultRoutes(router, faults);
  router.get('/sandbox/mails', (ctx) => {
    ctx.body = mails;
  });
  router.delete('/sandbox/mails', (ctx) => {
    mails.length = 0;
    ctx.status = 204;
  });
  return new Koa().use(router.routes()).callback();
}
