import { createServer, type Server, type ServerResponse } from 'node:http';
import type { Registry } from 'prom-client';

const answer = (response: ServerResponse, status: number, text: string, type = 'text/plain'): void =>
  void response.writeHead(status, { 'content-type': type }).end(text);

/** /healthz and /metrics, on TCP: for the operator's side of the host. */
export function makeOperationsServer(registry: Registry): Server {
  return createServer((request, response) => {
    if (request.url === '/healthz') answer(response, 200, 'ok\n');
    else if (request.url !== '/metrics') answer(response, 404, 'not found\n');
    else
      registry.metrics().then(
        (text) => answer(response, 200, text, registry.contentType),
        () => answer(response, 500, 'metrics are broken\n'),
      );
  });
}
