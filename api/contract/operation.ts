/**
 * One operation of the API, described once: the schemas that check a request and the document that describes it are the
 * same.
 */
import type { Router } from '@koa/router';
import { z } from 'zod';
import type { KeyRole } from '../../sql/api-keys.ts';
import type { Act } from '../../sql/operating.ts';
import type { Pool } from '../../sql/pool.ts';
import { SQLSTATE, sqlStateOf } from '../../sql/sqlstate.ts';
import { callerOf } from '../caller.ts';
import type { Context, State } from '../context.ts';
import type { Metrics } from '../metrics.ts';
import type { News } from '../news.ts';
import type { OrderDesk } from '../orders/order-answer.ts';
import { authenticate, type Caller } from '../operators/authenticate.ts';
import type { KeysInUse } from '../operators/keys-in-use.ts';
import type { Places } from '../places.ts';
import { fieldErrors, Problem, type ProblemCode } from '../problem.ts';
import type { Limit } from '../rate-limit.ts';
import { parseJson, readBody, requireJson } from '../read-body.ts';

const BODY_MAX_BYTES = 16 * 1024;

/** All that operations are made from. */
export type ApiDeps = {
  pool: Pool;
  metrics: Metrics;
  desk: OrderDesk;
  orderTtlMinutes: number;
  /** Requests from one address, and of one key; orders from one address, and for one e-mail address. */
  limits: { caller: Limit; key: Limit; address: Limit; email: Limit };
  /** Who tells that an order moved, and that a log grew. */
  news: News;
  logNews: News;
  keysInUse: KeysInUse;
  /** Logs that a key follows at once. */
  follows: Places;
  /** Orders that an address watches at once. */
  watchers: Places;
};

export type Call<Params, Query, Body> = ApiDeps & {
  /** For an answer with a status, type or header of its own. */
  ctx: Context;
  requestId: string;
  params: Params;
  query: Query;
  body: Body;
};

/** What a key adds to a call; `act` is who acts, for the functions that write it down. */
export type Keyed = { caller: Caller; act: Act };

export type Operation = {
  method: 'get' | 'post' | 'put';
  /** With parameters as `{name}`. */
  path: string;
  summary: string;
  /** Whose keys open it. None: anybody may call it. */
  roles: readonly KeyRole[];
  /** Anybody may call it also without a key; those calls are limited by address. */
  keyIsOptional?: boolean;
  params: z.ZodObject;
  query: z.ZodObject;
  /** For the document; `act` reads them with the same schemas. */
  headers: z.ZodObject;
  body: z.ZodObject | undefined;
  bodyMaxBytes?: number;
  answer: z.ZodType;
  /** Where the answer is not JSON: what it may be instead; `answer` then describes it in words only. */
  media?: readonly string[];
  /** Default: 200. */
  statuses?: readonly number[];
  /** Those of its own, besides what every operation of its kind may be refused with. */
  problems: readonly ProblemCode[];
  act: (call: Call<never, never, never> & Keyed) => Promise<unknown>;
};

/** Keeps the types of the schemas and of `act` together. */
export function operation<
  Params extends z.ZodObject,
  Query extends z.ZodObject,
  Body extends z.ZodObject,
  Answer extends z.ZodType,
>(
  description: Omit<Operation, 'params' | 'query' | 'headers' | 'body' | 'answer' | 'act'> & {
    params?: Params;
    query?: Query;
    headers?: z.ZodObject;
    body?: Body;
    answer: Answer;
    act: (call: Call<z.output<Params>, z.output<Query>, z.output<Body>> & Keyed) => Promise<z.input<Answer>>;
  },
): Operation {
  const { params = z.strictObject({}), query = z.strictObject({}), headers = z.strictObject({}), body } = description;
  return { ...description, params, query, headers, body };
}

function check(schema: z.ZodObject, value: unknown, code: ProblemCode): never {
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw new Problem(code, undefined, { errors: fieldErrors(parsed.error.issues) });
  return parsed.data as never;
}

async function callerOfCall(ctx: Context, deps: ApiDeps, one: Operation): Promise<Caller | undefined> {
  if (one.roles.length === 0) return undefined;
  if (one.keyIsOptional && ctx.get('Authorization') === '') {
    await deps.limits.address(callerOf(ctx.ip));
    return undefined;
  }
  return authenticate(ctx, { pool: deps.pool, limitKey: deps.limits.key, keysInUse: deps.keysInUse }, one.roles);
}

async function answer(ctx: Context, deps: ApiDeps, one: Operation): Promise<void> {
  // Also of who has no key, or tries many.
  await deps.limits.caller(callerOf(ctx.ip));
  const caller = await callerOfCall(ctx, deps, one);
  const params = check(one.params, ctx.params, 'not_found');
  const query = check(one.query, { ...ctx.query }, 'request_invalid');
  if (one.body) requireJson(ctx.req);
  const raw = one.body && parseJson(await readBody(ctx.req, one.bodyMaxBytes ?? BODY_MAX_BYTES));
  const body = one.body && check(one.body, raw, 'request_invalid');
  const { requestId } = ctx.state;
  const keyed = { caller, act: caller && { keyId: caller.keyId, requestId } } as Keyed;
  const call = { ...deps, ...keyed, ctx, requestId, params, query, body: body as never };
  const result = await one.act(call).catch((error: unknown) => {
    // The key ended while it was used.
    throw sqlStateOf(error) === SQLSTATE.notAnOperator ? new Problem('key_not_valid') : error;
  });
  if (caller && one.method !== 'get')
    ctx.state.log.info({ key: caller.name, operation: one.summary, subject: ctx.params }, 'acted with a key');
  ctx.body = result;
}

export function addOperations(router: Router<State>, deps: ApiDeps, operations: readonly Operation[]): void {
  for (const one of operations)
    router[one.method](one.path.replaceAll(/\{(\w+)\}/g, ':$1'), (ctx) => answer(ctx, deps, one));
}
