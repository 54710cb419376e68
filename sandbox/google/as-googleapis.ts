/** An HTTP proxy behind which Google's own host names lead to a sandbox, for clients whose addresses are built in. */
import { once } from 'node:events';
import http from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';

const GOOGLE_HOSTS = new Set(['www.googleapis.com:443', 'oauth2.googleapis.com:443']);

export type AsGoogleapis = {
  url: string;
  /** Every CONNECT target that was asked for. */
  asked: Set<string>;
  stop: () => Promise<void>;
};

/** `port`: where the sandbox listens on 127.0.0.1. Any other name is answered 403. */
export async function startAsGoogleapis(port: number): Promise<AsGoogleapis> {
  const asked = new Set<string>();
  const sockets = new Set<Socket>();
  const kept = (socket: Socket): Socket => {
    sockets.add(socket);
    return socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
  };
  const server = http.createServer((_request, response) => void response.writeHead(405).end());
  server.on('connect', (request, client: Socket, head) => {
    kept(client);
    asked.add(request.url ?? '');
    if (!GOOGLE_HOSTS.has(request.url ?? '')) {
      client.end('HTTP/1.1 403 Forbidden\r\n\r\n');
      return;
    }
    const upstream = kept(connect(port, '127.0.0.1'));
    upstream.on('connect', () => {
      client.write('HTTP/1.1 200 OK\r\n\r\n');
      upstream.write(head);
      upstream.pipe(client).pipe(upstream);
    });
    upstream.on('close', () => client.destroy());
    client.on('close', () => upstream.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    stop: async () => {
      server.close();
      server.closeAllConnections();
      for (const socket of sockets) socket.destroy();
      if (server.listening) await once(server, 'close');
    },
  };
}
