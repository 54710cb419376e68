import { types } from 'node:util';
import { request, type Dispatcher } from 'undici';
import { EgressAwayError } from './egress-socket.ts';
import { JobEnd } from './ending.ts';
import type { Tried } from './retry.ts';
import { TunnelRefusedError } from './tunnel.ts';

export type Response = Dispatcher.ResponseData;
type Options = Omit<Dispatcher.RequestOptions, 'path' | 'origin' | 'signal'> & {
  dispatcher: Dispatcher;
  signal: AbortSignal;
};

/** What may be said of a failed call in a log: its code, never its text, which may quote an address with a key in it. */
export const failureName = (error: unknown): string => {
  if (error instanceof TunnelRefusedError) return error.message;
  if (!types.isNativeError(error)) return 'unknown failure';
  return (error as NodeJS.ErrnoException).code ?? error.name;
};

/** undici hears of an abort once the request has its connection; while egress is away that may take long. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(signal.reason);
  if (signal.aborted) onAbort();
  else signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

/**
 * One HTTP exchange, up to the headers of its answer; a broken connection is an answer too. Throws what `signal` aborts
 * with, TunnelRefusedError where egress will never let this host through, and JobEnd egress_unavailable where it is away.
 */
export async function call(url: string, options: Options): Promise<Tried<Response>> {
  try {
    return { done: await unlessAborted(request(url, options), options.signal) };
  } catch (error) {
    options.signal.throwIfAborted();
    if (error instanceof EgressAwayError) throw new JobEnd('egress_unavailable', error.message, { cause: error });
    if (error instanceof TunnelRefusedError && error.isFinal) throw error;
    return { again: failureName(error) };
  }
}

/** The whole body, or undefined when it is longer than `maxBytes`. Throws when the connection breaks. */
export async function readBody(response: Response, maxBytes: number): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response.body as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxBytes) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, bytes);
}

/** Throws the rest of a body away without reading it: the connection goes with it. */
export const dropBody = (response: Response): void => {
  response.body.on('error', () => undefined).destroy();
};
export const headerOf = (response: Response, name: string): string | undefined => [response.headers[name]].flat()[0];
