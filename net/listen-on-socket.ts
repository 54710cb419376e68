/** A process' unix socket: a dead predecessor's is replaced, a living one's is never taken over. */
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

/**
 * Listens on `path` in `folder`. `everyone`: any user of the host may connect, where a token is the door and not the file
 * mode; `group`: the owner and the group of the process. Throws SocketTakenError.
 */
export async function listenOnSocket(
  server: Server,
  { folder, path, openTo }: { folder: string; path: string; openTo: 'everyone' | 'group' },
): Promise<void> {
  await mkdir(folder, { recursive: true });
  if (openTo === 'everyone') await chmod(folder, 0o755);
  if (await isAnswered(path)) throw new SocketTakenError(`another process answers on ${path}`);
  await rm(path, { force: true });
  const isOpen = openTo === 'everyone';
  server.listen({ path, readableAll: isOpen, writableAll: isOpen });
  await once(server, 'listening');
  if (!isOpen) await chmod(path, 0o660);
}
