/**
 * One operation of the operators' API, described once: the schemas that check a request and the document that describes
 * it are the same.
 */
import type { Router } from '@koa/router';
import { z } from 'zod';
import type { KeyRole } from '../../sql/api-keys.ts';
import type { Pool } from '../../sql/pool.ts';
import type { Context, State } from '../context.ts';
import { fieldErrors, Problem, type ProblemCode } from '../problem.ts';
import type { Limit } from '../rate-limit.ts';
import { parseJson, readBody, requireJson } from '../read-body.ts';
import { authenticate, type Caller } from './authenticate.ts';

const BODY_MAX_BYTES = 16 * 1024;

export type OperatorDeps = { pool: Pool; limitKey: Limit };

type Call<Params, Query, Body> = {
  pool: Pool;
  caller: Caller;
  requestId: string;
  params: Params;
  query: Query;
  body: Body;
};

export type Operation = {
  method: 'get' | 'post';
  /** With parameters as `{name}`. */
  path: string;
  summary: string;
  roles: readonly KeyRole[];
  params: z.ZodObject;
  query: z.ZodObject;
  body: z.ZodObject | undefined;
  answer: z.ZodType;
  /** Those of its own, besides what every operation may be refused with. */
  problems: readonly ProblemCode[];
  act: (call: Call<never, never, never>) => Promise<unknown>;
};

/** Keeps the types of the schemas and of `act` together. */
export function operation<
  Params extends z.ZodObject,
  Query extends z.ZodObject,
  Body extends z.ZodObject,
  Answer extends z.ZodType,
>(
  description: Omit<Operation, 'params' | 'query' | 'body' | 'answer' | 'act'> & {
    params?: Params;
    query?: Query;
    body?: Body;
    answer: Answer;
    act: (call: Call<z.output<Params>, z.output<Query>, z.output<Body>>) => Promise<z.input<Answer>>;
  },
): Operation {
  const { params = z.strictObject({}), query = z.strictObject({}), body } = description;
  return { ...description, params, query, body };
}

function check(schema: z.ZodObject, value: unknown, code: ProblemCode): never {
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw new Problem(code, undefined, { errors: fieldErrors(parsed.error.issues) });
  return parsed.data as never;
}

async function answer(ctx: Context, deps: OperatorDeps, one: Operation): Promise<void> {
  const caller = await authenticate(ctx, deps, one.roles);
  const params = check(one.params, ctx.params, 'not_found');
  const query = check(one.query, { ...ctx.query }, 'request_invalid');
  if (one.body) requireJson(ctx.req);
  const body = one.body && check(one.body, parseJson(await readBody(ctx.req, BODY_MAX_BYTES)), 'request_invalid');
  const result = await one.act({
    pool: deps.pool,
    caller,
    requestId: ctx.state.requestId,
    params,
    query,
    body: body as never,
  });
  if (one.method === 'post')
    ctx.state.log.info({ key: caller.name, operation: one.summary, subject: ctx.params }, 'operator acted');
  ctx.body = result;
}

export function addOperations(router: Router<State>, deps: OperatorDeps, operations: readonly Operation[]): void {
  for (const one of operations)
    router[one.method](one.path.replaceAll(/\{(\w+)\}/g, ':$1'), (ctx) => answer(ctx, deps, one));
}
