/** The unix socket of one host's egress: a dead predecessor's is replaced, a living one's is never taken over. */
import { chmod, mkdir, rm } from 'node:fs/promises';
import { connect, type Server } from 'node:net';
import { once } from 'node:events';

/** sockaddr_un holds 108 bytes with the final NUL. */
export const SOCKET_PATH_MAX_BYTES = 107;
const PROBE_LIMIT_MS = 2_000;

export class SocketTakenError extends Error {
  override name = 'SocketTakenError';
}

function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const probe = connect(path);
    probe.setTimeout(PROBE_LIMIT_MS, () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED') resolve(false);
      else reject(error);
    });
  });
}

/** Listens on `folder`/`name`, open to every user of the host: the token is the door, not the file mode. */
export async function listenOnSocket(server: Server, folder: string, path: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  await chmod(folder, 0o755);
  if (await isAnswered(path)) throw new SocketTakenError(`another egress answers on ${path}`);
  await rm(path, { force: true });
  server.listen({ path, readableAll: true, writableAll: true });
  await once(server, 'listening');
}
