/** Every way egress says no: a stable code, the HTTP status it travels with, and a short problem answer (RFC 9457). */
export const REFUSALS = {
  bad_request: { status: 400, title: 'The request cannot be read.' },
  bad_target: { status: 400, title: 'CONNECT takes host:port and nothing else.' },
  token_missing: { status: 407, title: 'Proxy-Authorization: Bearer is missing.' },
  token_refused: { status: 407, title: 'The token is not genuine or has expired.' },
  foreign_attempt: { status: 403, title: 'The token belongs to another attempt.' },
  unknown_profile: { status: 403, title: 'The profile has no allow-list.' },
  host_refused: { status: 403, title: 'The host is not in the allow-list of the profile.' },
  address_refused: { status: 403, title: 'The name leads to an address that is not public.' },
  upgrade_refused: { status: 403, title: 'Upgrades are not relayed.' },
  path_refused: { status: 404, title: 'Only the signed calls of an attempt are relayed.' },
  method_refused: { status: 405, title: 'Only POST and CONNECT are spoken here.' },
  body_too_large: { status: 413, title: 'The body is larger than a signed call may be.' },
  crowded_out: { status: 429, title: 'Too many connections without a token are open.' },
  too_many_tunnels: { status: 429, title: 'Too many tunnels are open.' },
  header_too_large: { status: 431, title: 'The headers are too large.' },
  name_unknown: { status: 502, title: 'The name cannot be resolved.' },
  upstream_unavailable: { status: 502, title: 'The host does not answer.' },
  api_unavailable: { status: 502, title: 'The API does not answer.' },
  upstream_timeout: { status: 504, title: 'The host did not answer in time.' },
  api_timeout: { status: 504, title: 'The API did not answer in time.' },
} as const;
export type RefusalCode = keyof typeof REFUSALS;

const STATUS_TEXT: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  407: 'Proxy Authentication Required',
  413: 'Content Too Large',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  502: 'Bad Gateway',
  504: 'Gateway Timeout',
};

export type ProblemAnswer = {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: string;
};

export function problemAnswer(code: RefusalCode): ProblemAnswer {
  const { status, title } = REFUSALS[code];
  const body = `${JSON.stringify({ type: 'about:blank', code, status, title })}\n`;
  const challenge: Record<string, string> = status === 407 ? { 'proxy-authenticate': 'Bearer realm="egress"' } : {};
  const headers = {
    'content-type': 'application/problem+json',
    'content-length': String(Buffer.byteLength(body)),
    connection: 'close',
    ...challenge,
  };
  return { status, headers, body };
}

/** The same answer as bytes, for sockets that no longer belong to an HTTP response. */
export function rawProblemAnswer(code: RefusalCode): string {
  const { status, headers, body } = problemAnswer(code);
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status} ${STATUS_TEXT[status] ?? 'Error'}\r\n${lines.join('')}\r\n${body}`;
}
