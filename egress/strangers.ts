/**
 * Connections that have not been let in: no token read yet, or one refused. Whose they are nobody knows, so one job could
 * take the places of all others by opening silent ones. Beyond `max` each newcomer puts out the one that has been here
 * longest: a job that means it shows its token with its first bytes, long before `max` others can come after it.
 */
import type { Duplex } from 'node:stream';

export type Strangers = {
  /** It has just come, or what it was let in for is over. */
  meet: (socket: Duplex) => void;
  /** It was let in, or is gone. */
  forget: (socket: Duplex) => void;
};

export function makeStrangers(max: number, onPutOut: () => void): Strangers {
  // Sets keep the order in which things came.
  const here = new Set<Duplex>();
  return {
    meet: (socket) => {
      if (socket.destroyed) return;
      here.add(socket);
      if (here.size <= max) return;
      const [longest] = here;
      if (!longest) return;
      here.delete(longest);
      longest.destroy();
      onPutOut();
    },
    forget: (socket) => void here.delete(socket),
  };
}
