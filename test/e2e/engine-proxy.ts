/** A unix socket in front of the engine's: keeps what clients send, and may change it on the way, as a bad daemon would. */
import { createServer, connect, type Server, type Socket } from 'node:net';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Transform } from 'node:stream';

const KEPT_MAX_BYTES = 64 * 1024 * 1024;

export type EngineProxy = {
  dockerHost: string;
  /** What clients sent, one buffer a connection. */
  sent: () => Buffer[];
  /** From now on nothing comes back from the engine, and nobody is told; until `thaw`. */
  freeze: () => void;
  thaw: () => void;
  stop: () => Promise<void>;
};

export async function startEngineProxy(
  dockerHost: string,
  change: (chunk: Buffer) => Buffer = (chunk) => chunk,
  changeAnswer?: (chunk: Buffer) => Buffer,
): Promise<EngineProxy> {
  const dir = mkdtempSync(join(tmpdir(), 'lading-engine-proxy-'));
  const path = join(dir, 'docker.sock');
  const kept: Buffer[][] = [];
  const sockets = new Set<Socket>();
  const pairs = new Set<{ client: Socket; engine: Socket }>();
  let frozen = false;
  let bytes = 0;
  const server: Server = createServer({ allowHalfOpen: true }, (client) => {
    const engine = connect({ path: new URL(dockerHost).pathname, allowHalfOpen: true });
    const mine: Buffer[] = [];
    kept.push(mine);
    const keep = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        bytes += chunk.length;
        if (bytes > KEPT_MAX_BYTES) return done(new Error('the proxy keeps no more'));
        mine.push(Buffer.from(chunk));
        return done(null, change(chunk));
      },
    });
    client.pipe(keep).pipe(engine);
    if (changeAnswer) {
      const changed = new Transform({
        transform: (chunk: Buffer, _encoding, done) => done(null, changeAnswer(chunk)),
      });
      engine.pipe(changed).pipe(client);
    } else engine.pipe(client);
    if (frozen) engine.unpipe(client).pause();
    const pair = { client, engine };
    pairs.add(pair);
    client.on('close', () => pairs.delete(pair));
    for (const socket of [client, engine]) {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
      socket.on('error', () => {
        client.destroy();
        engine.destroy();
      });
    }
    client.on('close', () => engine.destroy());
    engine.on('close', () => client.destroy());
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return {
    dockerHost: `unix://${path}`,
    freeze: () => {
      frozen = true;
      for (const { client, engine } of pairs) engine.unpipe(client).pause();
    },
    thaw: () => {
      frozen = false;
      for (const { client, engine } of pairs) engine.pipe(client);
    },
    sent: () => kept.map((chunks) => Buffer.concat(chunks)),
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
