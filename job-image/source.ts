import { JobEnd } from './ending.ts';
import { failureName } from './http-call.ts';
import { SourceMismatchError, type Position, type Provider, type SourceFile } from './providers/provider.ts';
import { pause, type Again } from './retry.ts';

/** Against a source that hands out a few bytes and breaks, for ever. */
const REOPENS_MAX = 200;
const START: Position = { offset: 0, etag: undefined };

/**
 * The bytes of `file` from `from` on, once and in order, over as many connections as it takes: where one breaks, the next
 * goes on from there. `onOpen` hears the version's tag, if it has one, each time. Throws JobEnd, SourceMismatchError, or
 * what `signal` aborts with.
 */
export async function* readSource(
  provider: Provider,
  file: SourceFile,
  signal: AbortSignal,
  { from = START, onOpen }: { from?: Position; onOpen?: (etag: string | undefined) => void } = {},
): AsyncGenerator<Buffer> {
  let at = from;
  let failures = 0;
  for (let opened = 0; at.offset < file.bytes || opened === 0; opened += 1) {
    if (opened > REOPENS_MAX)
      throw new JobEnd('provider_unavailable', `${JSON.stringify(file.path)}: breaks off again and again`);
    const tried = await provider.open(file, at, signal);
    let failed: Again;
    if ('again' in tried) failed = tried;
    else {
      at = { offset: at.offset, etag: at.etag ?? tried.done.etag };
      onOpen?.(at.etag);
      try {
        for await (const piece of tried.done.body) {
          if (at.offset + piece.length > file.bytes)
            throw new SourceMismatchError(`${JSON.stringify(file.path)} is too long`);
          at = { offset: at.offset + piece.length, etag: at.etag };
          failures = 0;
          yield piece;
        }
        if (at.offset === file.bytes) return;
        failed = { again: `${JSON.stringify(file.path)}: ended after ${at.offset} of ${file.bytes} bytes` };
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof SourceMismatchError) throw error;
        failed = { again: `${JSON.stringify(file.path)}: ${failureName(error)}` };
      }
    }
    failures += 1;
    const { again, retryAfterSeconds } = failed;
    if (!(await pause(provider.retry, failures, failed, signal)))
      throw new JobEnd('provider_unavailable', again, { retryAfterSeconds });
  }
}
