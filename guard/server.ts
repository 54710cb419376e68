/**
 * The door to the engine: judges every request, writes what passes anew, and lets answers through as they come, at the
 * reader's own pace. What the engine makes of a connection that became a stream stays between the two.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream';
import { isDeepStrictEqual } from 'node:util';
import type { Logger } from 'pino';
import { judge, type Call, type Refusal, type Rules } from './call.ts';
import { mould, type Mould } from './create-body.ts';
import type { Metrics } from './metrics.ts';
import type { Owned } from './owned.ts';
import { UpstreamError, type Upstream } from './upstream.ts';

const HEADER_MAX_BYTES = 16 * 1024;
const HEADERS_LIMIT_MS = 5_000;
const REQUEST_LIMIT_MS = 10_000;
const CONNECTIONS_MAX = 4_096;
const BODY_MAX_BYTES = 64 * 1024;
/** What is shown of the host, and no more. */
const INFO_SHOWN = ['MemTotal', 'SystemTime', 'NCPU', 'ServerVersion', 'CgroupVersion', 'OperatingSystem'];
const PASSED_HEADERS = ['content-type', 'content-length', 'api-version', 'docker-experimental'];

export type GuardDeps = {
  upstream: Upstream;
  owned: Owned;
  rules: Rules;
  allowed: Mould;
  log: Logger;
  metrics: Metrics;
};

type Passed = { call: Call; path: string; body: string | undefined };
const isRefusal = (value: object): value is Refusal => 'refused' in value;

async function readBody(request: IncomingMessage): Promise<unknown> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of request as AsyncIterable<Buffer>) {
    bytes += piece.length;
    if (bytes > BODY_MAX_BYTES) return 'too_large';
    pieces.push(piece);
  }
  const text = Buffer.concat(pieces).toString('utf8');
  return text === '' ? undefined : (JSON.parse(text) as unknown);
}

/** Some clients say once more in the body what stands in the query; nothing else may stand there. */
const saysNoMore = (body: unknown, path: string): boolean => {
  if (body === undefined) return true;
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return false;
  const query = Object.fromEntries(new URLSearchParams(path.split('?')[1] ?? ''));
  const said = Object.fromEntries(Object.entries(body).map(([name, value]) => [name, String(value)]));
  return Object.entries(said).every(([name, value]) => isDeepStrictEqual(query[name], value));
};

/** Judges one request. 'missing': there is no such container. Rejects with UpstreamError. */
async function admit(
  deps: GuardDeps,
  request: IncomingMessage,
  isUpgrade: boolean,
): Promise<Passed | Refusal | 'missing'> {
  const call = judge(request.method ?? '', request.url ?? '', isUpgrade, deps.rules);
  if (isRefusal(call)) return call;
  let body: unknown;
  try {
    body = isUpgrade ? undefined : await readBody(request);
  } catch {
    return { refused: 'body' };
  }
  if (body === 'too_large') return { refused: 'body_too_large' };
  if (call.create) {
    const made = mould(call.create.name, body, deps.allowed);
    return 'refused' in made ? made : { call, path: call.path, body: JSON.stringify(made) };
  }
  if (!saysNoMore(body, call.path)) return { refused: 'body' };
  let { path } = call;
  for (const container of [...(call.container === undefined ? [] : [call.container]), ...(call.alsoOurs ?? [])]) {
    const found = await deps.owned.idOf(container);
    if (found === undefined) return 'missing';
    if (found === 'foreign') return { refused: 'foreign_container' };
    if (container === call.container) path = path.replace('{id}', found.id);
  }
  return { call, path, body: undefined };
}

const refusalText = (reason: string): string => JSON.stringify({ message: `refused by the guard: ${reason}` });
const MISSING = JSON.stringify({ message: 'No such container' });
const AWAY = JSON.stringify({ message: 'the engine does not answer' });

function note({ log, metrics }: GuardDeps, request: IncomingMessage, { refused }: Refusal): void {
  metrics.refused(refused);
  // What was asked for, and never what was sent.
  log.warn({ reason: refused, method: request.method, url: request.url?.slice(0, 200) }, 'refused');
}

const passedHeaders = (got: IncomingMessage): Record<string, string> =>
  Object.fromEntries(
    PASSED_HEADERS.flatMap((name) => {
      const value = got.headers[name];
      return typeof value === 'string' ? [[name, value]] : [];
    }),
  );

async function answer(deps: GuardDeps, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const end = (status: number, text: string): void =>
    void response.writeHead(status, { 'content-type': 'application/json', connection: 'close' }).end(text);
  const passed = await admit(deps, request, false);
  if (passed === 'missing') return end(404, MISSING);
  if (isRefusal(passed)) {
    note(deps, request, passed);
    return end(403, refusalText(passed.refused));
  }
  const { call, path, body } = passed;
  deps.metrics.passed(call.name);
  if (call.name === 'info') {
    const { status, json } = await deps.upstream.ask(path);
    const shown = Object.entries(json as Record<string, unknown>).filter(([name]) => INFO_SHOWN.includes(name));
    return end(status, JSON.stringify(Object.fromEntries(shown)));
  }
  const asked = deps.upstream.open({
    method: call.method,
    path,
    headers:
      body === undefined
        ? { 'content-length': '0' }
        : { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(body)) },
  });
  // Whoever stops reading a stream ends it at the engine too.
  response.on('close', () => asked.destroy());
  asked.on('error', () => (response.headersSent ? response.destroy() : end(502, AWAY)));
  asked.on('response', (got) => {
    response.writeHead(got.statusCode ?? 502, passedHeaders(got));
    response.flushHeaders();
    pipeline(got, response, () => undefined);
  });
  asked.end(body);
}

/** A connection that is to become a container's input and output. Nothing of it goes on before the engine agreed. */
async function upgrade(deps: GuardDeps, request: IncomingMessage, client: Duplex, head: Buffer): Promise<void> {
  const end = (status: string, text: string): void =>
    void client.end(
      `HTTP/1.1 ${status}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(text)}\r\nConnection: close\r\n\r\n${text}`,
    );
  client.on('error', () => client.destroy());
  const passed = await admit(deps, request, true);
  if (passed === 'missing') return end('404 Not Found', MISSING);
  if (isRefusal(passed)) {
    note(deps, request, passed);
    return end('403 Forbidden', refusalText(passed.refused));
  }
  deps.metrics.passed(passed.call.name);
  const asked = deps.upstream.open({
    method: passed.call.method,
    path: passed.path,
    headers: { connection: 'Upgrade', upgrade: 'tcp', 'content-length': '0' },
  });
  client.on('close', () => asked.destroy());
  asked.on('error', () => end('502 Bad Gateway', AWAY));
  asked.on('response', (got) => {
    // No stream: the engine's word, and the end of the connection.
    got.resume();
    end(`${got.statusCode} ${got.statusMessage}`, JSON.stringify({ message: 'the engine opened no stream' }));
  });
  asked.on('upgrade', (_got, engine, early) => {
    client.write(
      'HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n',
    );
    client.write(early);
    engine.write(head);
    // Each side may end on its own: a job's input ends long before its output.
    for (const [from, to] of [
      [client, engine],
      [engine, client],
    ] as const) {
      from.pipe(to);
      from.on('error', () => to.destroy());
      from.on('close', () => to.destroy());
    }
  });
  asked.end();
}

export function makeGuardServer(deps: GuardDeps): Server {
  const server = createServer(
    {
      maxHeaderSize: HEADER_MAX_BYTES,
      headersTimeout: HEADERS_LIMIT_MS,
      requestTimeout: REQUEST_LIMIT_MS,
      insecureHTTPParser: false,
    },
    (request, response) => {
      answer(deps, request, response).catch((error: unknown) => {
        deps.log.error({ err: error }, 'a call could not be passed on');
        if (response.headersSent) response.destroy();
        else response.writeHead(error instanceof UpstreamError ? 502 : 500).end(AWAY);
      });
    },
  );
  server.maxConnections = CONNECTIONS_MAX;
  server.on('upgrade', (request: IncomingMessage, client: Duplex, head: Buffer) => {
    upgrade(deps, request, client, head).catch((error: unknown) => {
      deps.log.error({ err: error }, 'a stream could not be passed on');
      client.destroy();
    });
  });
  // A method that would make the connection somebody else's.
  server.on('connect', (request: IncomingMessage, client: Duplex) => {
    note(deps, request, { refused: 'method' });
    client.destroy();
  });
  return server;
}
