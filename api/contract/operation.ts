/**
 * One operation of the API, described once: the schemas that check a request and the document that describes it are the
 * same.
 */
import type { Router } from '@koa/router';
import { z } from 'zod';
import type { KeyRole } from '../../sql/api-keys.ts';
import type { Act } from '../../sql/operating.ts';
import type { Pool } from '../../sql/pool.ts';
import { recordRead } from '../../sql/reads.ts';
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

export type Operation<Answer = unknown> = {
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
  /** It shows customers or their money: who reads it is written down first. */
  isRecorded?: boolean;
  act: (call: Call<never, never, never> & Keyed) => Promise<Answer>;
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
): Operation<z.input<Answer>> {
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
  return authenticate(ctx, { pool: deps.pool, limitKey: deps.limits.key, keysInUse: deps.keysInUse });
}

/** What of a query says where a list goes on, and not what is read. */
const NOT_A_SUBJECT: ReadonlySet<string> = new Set(['limit', 'cursor', 'after', 'follow', 'format', 'reason']);
const SUBJECT_MAX_CHARS = 300;

function subjectOf(one: Operation, params: Readonly<Record<string, string>>, query: object): string {
  const path = one.path.replaceAll(/\{(\w+)\}/g, (_, name: string) => params[name] ?? '');
  const wanted = Object.entries(query).filter(([name, value]) => value !== undefined && !NOT_A_SUBJECT.has(name));
  const search = new URLSearchParams(wanted.map(([name, value]) => [name, String(value)])).toString();
  return `${path}${search && `?${search}`}`.slice(0, SUBJECT_MAX_CHARS);
}

/** What a caller gives to an operation; the body is read only from who may call it. */
export type Given = { params: object; query: object; body: () => Promise<unknown> };

/**
 * The operation itself, whoever calls it in whatever way: checks the role, what is given, and acts. Throws Problem.
 */
export async function perform<Answer>(
  ctx: Context,
  deps: ApiDeps,
  one: Operation<Answer>,
  caller: Caller | undefined,
  given: Given,
): Promise<Answer> {
  if (caller ? !one.roles.includes(caller.role) : one.roles.length > 0 && !one.keyIsOptional)
    throw new Problem('role_not_allowed');
  const params = check(one.params, given.params, 'not_found');
  const query = check(one.query, given.query, 'request_invalid');
  const body = one.body && check(one.body, await given.body(), 'request_invalid');
  const { requestId } = ctx.state;
  if (caller && one.isRecorded) {
    const { keyId, sessionId } = caller;
    await recordRead(deps.pool, { keyId, sessionId, requestId, subject: subjectOf(one, params, query) });
  }
  const keyed = { caller, act: caller && { keyId: caller.keyId, requestId } } as Keyed;
  const call = { ...deps, ...keyed, ctx, requestId, params, query, body: body as never };
  const result = await one.act(call).catch((error: unknown) => {
    // The key ended while it was used.
    throw sqlStateOf(error) === SQLSTATE.notAnOperator ? new Problem('key_not_valid') : error;
  });
  if (caller && one.method !== 'get')
    ctx.state.log.info({ key: caller.name, operation: one.summary, subject: given.params }, 'acted with a key');
  return result;
}

async function answer(ctx: Context, deps: ApiDeps, one: Operation): Promise<void> {
  // Also of who has no key, or tries many.
  await deps.limits.caller(callerOf(ctx.ip));
  const caller = await callerOfCall(ctx, deps, one);
  ctx.body = await perform(ctx, deps, one, caller, {
    params: ctx.params,
    query: { ...ctx.query },
    body: async () => {
      requireJson(ctx.req);
      return parseJson(await readBody(ctx.req, one.bodyMaxBytes ?? BODY_MAX_BYTES));
    },
  });
}

export function addOperations(router: Router<State>, deps: ApiDeps, operations: readonly Operation[]): void {
  for (const one of operations)
    router[one.method](one.path.replaceAll(/\{(\w+)\}/g, ':$1'), (ctx) => answer(ctx, deps, one));
}
