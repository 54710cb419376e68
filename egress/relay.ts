/**
 * The signed calls of an attempt, handed to the API. Only five headers pass, the body is read whole before anything is
 * sent (so that what the API reads is framed by us, never by the job), and the answer is cut to a size that a job needs.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import { errors, request as send, type Dispatcher } from 'undici';
import { answerMaxBytes, callMaxBytes, RELAYED_PATH } from '../job-image/contract/signed-call.ts';
import type { Metrics } from './metrics.ts';
import { problemAnswer, type RefusalCode } from './refusal.ts';
import type { Slots } from './slots.ts';
import type { Strangers } from './strangers.ts';
import { readToken } from './token.ts';

const PASSED_HEADERS = ['content-type', 'webhook-id', 'webhook-timestamp', 'webhook-signature'] as const;
const API_LIMIT_MS = 20_000;

export type RelayDeps = {
  readonly key: Buffer;
  /** Base of the API, without a trailing slash. */
  readonly apiUrl: string;
  readonly relays: Slots;
  readonly strangers: Strangers;
  readonly dispatcher: Dispatcher;
  readonly log: Logger;
  readonly metrics: Metrics;
};

/** The whole of `stream`, or undefined when it is longer than `maxBytes`. */
async function readUpTo(stream: AsyncIterable<Buffer>, maxBytes: number): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream) {
    bytes += chunk.length;
    if (bytes > maxBytes) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, bytes);
}

type Answer = { status: number; contentType: string | undefined; retryAfter: string | undefined; body: Buffer };

async function callApi(
  deps: RelayDeps,
  path: string,
  passed: Record<string, string>,
  body: Buffer,
  maxBytes: number,
): Promise<Answer | RefusalCode> {
  try {
    const response = await send(`${deps.apiUrl}${path}`, {
      method: 'POST',
      headers: passed,
      body,
      dispatcher: deps.dispatcher,
      signal: AbortSignal.timeout(API_LIMIT_MS),
    });
    const answer = await readUpTo(response.body, maxBytes);
    if (answer === undefined) return 'api_unavailable';
    const header = (name: string): string | undefined => [response.headers[name]].flat()[0];
    return {
      status: response.statusCode,
      contentType: header('content-type'),
      retryAfter: header('retry-after'),
      body: answer,
    };
  } catch (error) {
    const timedOut =
      error instanceof errors.HeadersTimeoutError ||
      error instanceof errors.BodyTimeoutError ||
      error instanceof errors.ConnectTimeoutError ||
      (error instanceof DOMException && error.name === 'TimeoutError');
    return timedOut ? 'api_timeout' : 'api_unavailable';
  }
}

/** Answers everything on the socket that is not CONNECT. Never rejects. */
export function makeRelay(deps: RelayDeps): (request: IncomingMessage, response: ServerResponse) => Promise<void> {
  const { log, metrics } = deps;
  return async (request, response) => {
    const refuse = (code: RefusalCode, facts: object = {}): void => {
      metrics.refused(code);
      log.warn({ reason: code, ...facts }, 'refused');
      const { status, headers, body } = problemAnswer(code);
      // What the job still sends is read and thrown away: closing on unread bytes would take the answer along.
      request.resume();
      response.writeHead(status, headers).end(body);
    };
    // Of a request that broke off it is gone later on.
    const { socket } = request;
    const path = request.url ?? '';
    const [, attemptOfPath, callName] = RELAYED_PATH.exec(path) ?? [];
    const maxBytes = callMaxBytes(callName);
    if (request.headers.upgrade !== undefined) return refuse('upgrade_refused');
    if (attemptOfPath === undefined) return refuse('path_refused');
    if (request.method !== 'POST') return refuse('method_refused');
    const claims = readToken(deps.key, request.headers['proxy-authorization']);
    if (typeof claims === 'string') return refuse(claims);
    const { attempt } = claims;
    if (attemptOfPath !== attempt) return refuse('foreign_attempt', { attempt });
    if (Number(request.headers['content-length'] ?? 0) > maxBytes) return refuse('body_too_large', { attempt });
    const release = deps.relays.take(attempt);
    if (release === undefined) return refuse('too_many_tunnels', { attempt });
    deps.strangers.forget(socket);
    try {
      const body = await readUpTo(request, maxBytes).catch(() => 'aborted' as const);
      if (body === 'aborted') return refuse('bad_request', { attempt });
      if (body === undefined) return refuse('body_too_large', { attempt });
      const passed = Object.fromEntries(
        PASSED_HEADERS.flatMap((name) => {
          const value = request.headers[name];
          return typeof value === 'string' ? [[name, value]] : [];
        }),
      );
      const startedMs = performance.now();
      const answer = await callApi(deps, path, passed, body, answerMaxBytes(callName));
      if (typeof answer === 'string') return refuse(answer, { attempt });
      metrics.relayed(answer.status);
      log.info({ attempt, status: answer.status, ms: Math.round(performance.now() - startedMs) }, 'relayed');
      response.writeHead(answer.status, {
        ...(answer.contentType === undefined ? {} : { 'content-type': answer.contentType }),
        ...(answer.retryAfter === undefined ? {} : { 'retry-after': answer.retryAfter }),
        'content-length': answer.body.length,
      });
      response.end(answer.body);
    } finally {
      release();
      deps.strangers.meet(socket);
    }
  };
}
