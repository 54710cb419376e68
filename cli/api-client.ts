/** The API as the command line calls it: one key, bounded waits and answers, refusals as messages that say what to do. */
import { z } from 'zod';
import { CommandError, EXIT } from './exit.ts';

const ANSWER_LIMIT_MS = 30_000;
const ANSWER_MAX_BYTES = 32 * 1024 * 1024;
const PAGE_MAX = 100;

export type Query = Record<string, string | number | undefined>;
export type Row = Record<string, unknown>;
export type ApiClient = {
  url: string;
  get: (path: string, query?: Query) => Promise<unknown>;
  send: (method: 'POST' | 'PUT', path: string, body?: unknown) => Promise<unknown>;
  /** The rows of a list, page by page, at most `limit`. */
  list: (path: string, field: string, query: Query, limit: number) => Promise<Row[]>;
  /** Resolves when the answer begins; its body is the caller's. */
  open: (path: string, query: Query, signal: AbortSignal) => Promise<Response>;
};

const problem = z.object({
  code: z.string(),
  detail: z.string(),
  errors: z.array(z.object({ field: z.string(), message: z.string() })).optional(),
});

const EXITS: Record<number, number> = {
  401: EXIT.refused,
  403: EXIT.refused,
  429: EXIT.later,
  503: EXIT.later,
  422: EXIT.usage,
};
const HINTS: Record<string, string> = {
  key_not_valid:
    'The key has ended or was never made: lading keys list (as lading_owner), lading keys create NAME --role operator',
  role_not_allowed: 'lading keys create NAME --role operator (as lading_owner) makes a key that may',
};

async function readText(response: Response): Promise<string> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of response.body ?? []) {
    bytes += part.byteLength;
    if (bytes > ANSWER_MAX_BYTES)
      throw new CommandError(EXIT.bug, `the answer is longer than ${ANSWER_MAX_BYTES} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** What is refused, in the words of the API and with the way out where there is one. */
function refusal(status: number, text: string, url: string): CommandError {
  const said = problem.safeParse(jsonOf(text)).data;
  if (!said)
    return new CommandError(EXIT.away, `${url} answered ${status}, and not as Lading does: is LADING_URL right?`);
  const lines = [
    `${said.detail} (${said.code})`,
    ...(said.errors ?? []).map(({ field, message }) => `  ${field}: ${message}`),
    ...(HINTS[said.code] === undefined ? [] : [HINTS[said.code]]),
  ];
  return new CommandError(EXITS[status] ?? (status >= 500 ? EXIT.bug : EXIT.no), lines.join('\n'));
}

function away(url: string, cause: unknown): CommandError {
  const error = cause instanceof Error ? ((cause.cause as Error | undefined) ?? cause) : undefined;
  const why = error && 'code' in error ? String(error.code) : (error?.message ?? 'no answer');
  return new CommandError(
    EXIT.away,
    `no answer from the API at ${url} (${why}): is it running, and is LADING_URL right?`,
    {
      cause,
    },
  );
}

export function makeApiClient(url: string, key: string): ApiClient {
  async function request(
    method: string,
    path: string,
    query: Query,
    signal: AbortSignal,
    body?: unknown,
  ): Promise<Response> {
    const wanted = Object.entries(query).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, String(value)] as [string, string]],
    );
    const target = `${url}${path}${wanted.length > 0 ? `?${new URLSearchParams(wanted).toString()}` : ''}`;
    let response: Response;
    try {
      response = await fetch(target, {
        method,
        signal,
        redirect: 'error',
        headers: {
          Authorization: `Bearer ${key}`,
          ...(body !== undefined && { 'Content-Type': 'application/json' }),
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
    } catch (error) {
      throw away(url, error);
    }
    if (!response.ok) throw refusal(response.status, await readText(response), url);
    return response;
  }

  const call = async (method: string, path: string, query: Query, body?: unknown): Promise<unknown> => {
    const text = await readText(await request(method, path, query, AbortSignal.timeout(ANSWER_LIMIT_MS), body));
    const value = jsonOf(text);
    if (value === undefined) throw new CommandError(EXIT.away, `${url} did not answer JSON: is LADING_URL right?`);
    return value;
  };

  return {
    url,
    get: (path, query = {}) => call('GET', path, query),
    send: (method, path, body) => call(method, path, {}, body),
    list: async (path, field, query, limit) => {
      const page = z.object({
        [field]: z.array(z.record(z.string(), z.unknown())),
        nextCursor: z.string().nullable(),
      });
      const rows: Row[] = [];
      let cursor: string | undefined;
      while (rows.length < limit) {
        const answer = page.parse(
          await call('GET', path, { ...query, limit: Math.min(PAGE_MAX, limit - rows.length), cursor }),
        );
        rows.push(...(answer[field] as Row[]));
        cursor = (answer['nextCursor'] as string | null) ?? undefined;
        if (cursor === undefined) break;
      }
      return rows;
    },
    open: (path, query, signal) => request('GET', path, query, signal),
  };
}
