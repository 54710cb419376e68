import { ConnectionDropped } from './paced-body.ts';

const CODES = new Set(['ECONNRESET', 'ECONNABORTED', 'EPIPE', 'ERR_STREAM_PREMATURE_CLOSE']);

/** Did the other side (or a fault) end the connection? Not an error of this process. */
export const isOutside = (error: unknown): boolean =>
  error instanceof ConnectionDropped || CODES.has((error as NodeJS.ErrnoException).code ?? '');
