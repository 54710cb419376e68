import { createServer, type Server, type ServerResponse } from 'node:http';
import type { Metrics } from './metrics.ts';

const answer = (response: ServerResponse, status: number, text: string, type = 'text/plain'): void =>
  void response.writeHead(status, { 'content-type': type }).end(text);

/** /healthz and /metrics, on TCP: for the operator's side of the host, never for jobs. */
export function makeOperationsServer(metrics: Metrics): Server {
  return createServer((request, response) => {
    if (request.url === '/healthz') answer(response, 200, 'ok\n');
    else if (request.url !== '/metrics') answer(response, 404, 'not found\n');
    else
      metrics.registry.metrics().then(
        (text) => answer(response, 200, text, metrics.registry.contentType),
        () => answer(response, 500, 'metrics are broken\n'),
      );
  });
}
