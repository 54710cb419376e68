import type { ParameterizedContext } from 'koa';

/** After a form: the browser goes on to a page of ours, so that loading it again does not send the form again. */
export function seeOther(ctx: ParameterizedContext, path: string): void {
  ctx.status = 303;
  ctx.set('Location', path);
  ctx.body = '';
}
