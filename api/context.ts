import type { RouterContext } from '@koa/router';
import type { Logger } from 'pino';

/** What the outermost layer hands to every route. */
export type State = { requestId: string; log: Logger };
export type Context = RouterContext<State>;
