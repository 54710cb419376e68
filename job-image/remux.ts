/**
 * ffmpeg as a filter: bytes in, fragmented MP4 out, nothing decoded. It is given pipes and no address, its environment is
 * empty, and the only protocol it may use is the pipe. The one the image carries knows no other.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { JobEnd } from './ending.ts';

const STDERR_MAX_CHARS = 1_000;
const EXIT_GRACE_MS = 2_000;
/** A time stamp that jumps further than this at a discontinuity is moved to where the last one ended, in seconds. */
const JUMP_SECONDS = '1';

export type MediaFormat = 'mpegts' | 'mov';

const argumentsFor = (format: MediaFormat): string[] =>
  [
    '-nostdin -hide_banner -loglevel error -protocol_whitelist pipe -threads 1',
    `-dts_delta_threshold ${JUMP_SECONDS} -f ${format} -i pipe:0`,
    '-map 0:v? -map 0:a? -dn -sn -c copy -map_metadata -1',
    // In transport streams AAC carries a header in each frame, which MP4 has no place for; other sound is refused by it.
    ...(format === 'mpegts' ? ['-bsf:a aac_adtstoasc'] : []),
    '-movflags +frag_keyframe+delay_moov+default_base_moof -f mp4 pipe:1',
  ].flatMap((options) => options.split(' '));

/** Throws JobEnd manifest_invalid where ffmpeg cannot read it, what `source` throws, or what `signal` aborts with. */
export async function* remux(
  source: AsyncIterable<Buffer>,
  format: MediaFormat,
  what: string,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  const child = spawn('ffmpeg', argumentsFor(format), { env: { PATH: '/usr/local/bin:/usr/bin:/bin' }, cwd: '/' });
  const closed = Promise.race([
    once(child, 'close').then(([code]) => ({ code: code as number | null })),
    once(child, 'error').then(([error]) => ({ error: error as Error })),
  ]);
  closed.catch(() => undefined);
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = `${said}${text}`.slice(0, STDERR_MAX_CHARS);
  });
  let failure: { cause: unknown } | undefined;
  const feeding = pipeline(Readable.from(source, { objectMode: false }), child.stdin, { signal }).catch(
    (cause: unknown) => {
      // ffmpeg that stops reading is judged by its exit; everything else is the source's own word.
      if ((cause as NodeJS.ErrnoException).code === 'EPIPE') return;
      failure = { cause };
      child.kill('SIGKILL');
    },
  );
  try {
    yield* child.stdout as AsyncIterable<Buffer>;
    const ended = await closed;
    await feeding;
    signal.throwIfAborted();
    if (failure !== undefined) throw failure.cause;
    if ('error' in ended) throw ended.error;
    // It passes over what it cannot use, says so, and ends with 0.
    if (ended.code !== 0 || said.trim() !== '')
      throw new JobEnd('manifest_invalid', `${what}: ffmpeg ended with ${ended.code}: ${said.trim()}`);
  } finally {
    child.kill('SIGKILL');
    const limit = setTimeout(() => child.stdout.destroy(), EXIT_GRACE_MS);
    await closed.catch(() => undefined);
    clearTimeout(limit);
    await feeding;
  }
}
