/**
 * Provider `hls`: a course of clear HLS streams, each remuxed to one MP4.
 *
 *   { "format": "lading-hls/1", "protection": "none", "streams": [{ "path": "Bài 1.mp4", "playlist": URL }] }
 *
 * Every playlist and every initialisation is read, and refused where it is protected, before anything goes to Drive.
 */
import { createHash } from 'node:crypto';
import type { Dispatcher } from 'undici';
import { z } from 'zod';
import { FILES_MAX } from '../contract/signed-call.ts';
import { JobEnd } from '../ending.ts';
import type { RetryLimits } from '../retry.ts';
import { remux } from '../remux.ts';
import { getDocument, makeGet, parseJson, plainHttps, type Get } from './get.ts';
import { readPlaylist, refuseProtectedInit, type MediaPlaylist, type Segment } from './hls-playlist.ts';
import { clashingPath, pathProblem } from './path-rules.ts';
import { PROVIDER_RETRY } from './manifest.ts';
import { SourceMismatchError, type Provider, type StreamFile } from './provider.ts';
import { readOn } from './read-on.ts';

const COURSE_MAX_BYTES = 8 * 1024 * 1024;
const PLAYLIST_MAX_BYTES = 8 * 1024 * 1024;
const INIT_MAX_BYTES = 1024 * 1024;
/** Each may be as large as its limit. */
const PLAYLISTS_AT_ONCE = 4;
/** Of all streams of a course together: their segment lists are held in memory. */
const SEGMENTS_OF_COURSE_MAX = 100_000;

const courseSchema = z.object({
  format: z.literal('lading-hls/1'),
  streams: z
    .array(z.object({ path: z.string(), playlist: z.string().min(1).max(4_096) }))
    .min(1)
    .max(FILES_MAX),
});

/** Judges the document of a course: protection first. Throws JobEnd. */
export function readHlsCourse(json: unknown, courseUrl: URL): { path: string; playlist: URL }[] {
  if (!z.object({ protection: z.literal('none') }).safeParse(json).success)
    throw new JobEnd('protected_content', 'course: protection is not declared as "none"');
  const course = courseSchema.safeParse(json);
  if (!course.success) throw new JobEnd('manifest_invalid', `course: ${z.prettifyError(course.error)}`);
  const streams = course.data.streams.map((stream) => ({ ...stream, path: stream.path.normalize('NFC') }));
  const clash = clashingPath(streams.map(({ path }) => path));
  if (clash !== undefined) throw new JobEnd('manifest_invalid', `course: ${JSON.stringify(clash)} stands there twice`);
  return streams.map(({ path, playlist }) => {
    const problem = pathProblem(path);
    const url = plainHttps(playlist, courseUrl);
    if (problem !== undefined || url === undefined)
      throw new JobEnd(
        'manifest_invalid',
        `course: ${JSON.stringify(path)} ${problem ?? 'has no plain https address'}`,
      );
    return { path, playlist: url };
  });
}

const HEAD_BYTES = 8;
const TS_SYNC = 0x47;
const FRAGMENT_BOXES = new Set(['styp', 'moof', 'sidx', 'emsg', 'prft', 'free', 'ftyp', 'mdat']);
const isTransportStream = (head: Buffer): boolean => head[0] === TS_SYNC;
const isFragment = (head: Buffer): boolean => FRAGMENT_BOXES.has(head.toString('latin1', 4, HEAD_BYTES));

/** ffmpeg passes over what it does not know, and ends well: what is no media is refused before it gets there. */
async function* beginningAs(bytes: AsyncIterable<Buffer>, isHead: (head: Buffer) => boolean, what: string) {
  let head: Buffer | undefined = Buffer.alloc(0);
  for await (const piece of bytes) {
    if (head === undefined) {
      yield piece;
      continue;
    }
    head = Buffer.concat([head, piece]);
    if (head.length < HEAD_BYTES) continue;
    if (!isHead(head)) throw new JobEnd('provider_unavailable', `${what}: a segment holds something else than media`);
    yield head;
    head = undefined;
  }
  if (head !== undefined) throw new JobEnd('provider_unavailable', `${what}: a segment is empty`);
}

type Reading = { readonly get: Get; readonly what: string; readonly retry: RetryLimits };

/** The first box of fragmented MP4. Throws JobEnd, protected_content where it speaks of encryption. */
async function readInit({ get, what, retry }: Reading, init: Segment, signal: AbortSignal): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of readOn(get, { ...init, what, retry }, signal)) {
    bytes += piece.length;
    if (bytes > INIT_MAX_BYTES)
      throw new JobEnd('manifest_invalid', `${what}: initialisation over ${INIT_MAX_BYTES} bytes`);
    pieces.push(piece);
  }
  const read = Buffer.concat(pieces);
  refuseProtectedInit(read, what);
  return read;
}

/** As `readInit`; one that changes while it is read is no fault of a file yet. Throws JobEnd. */
async function judgeInit(reading: Reading, init: Segment, signal: AbortSignal): Promise<void> {
  try {
    await readInit(reading, init, signal);
  } catch (error) {
    if (!(error instanceof SourceMismatchError)) throw error;
    throw new JobEnd('provider_unavailable', error.message, { cause: error });
  }
}

async function* segmentsOf(reading: Reading, media: MediaPlaylist, signal: AbortSignal) {
  const { get, what, retry } = reading;
  const partOf = (segment: Segment) => ({ ...segment, what, retry });
  // Again: it may be another by now.
  if (media.init !== undefined) yield await readInit(reading, media.init, signal);
  const isHead = media.init === undefined ? isTransportStream : isFragment;
  for (const segment of media.segments) yield* beginningAs(readOn(get, partOf(segment), signal), isHead, what);
}

export function makeHlsProvider(options: {
  https: Dispatcher;
  courseUrl: string;
  bearer: string | undefined;
  retry?: RetryLimits;
}): Provider & Required<Pick<Provider, 'streams'>> {
  const { https, bearer, retry = PROVIDER_RETRY } = options;
  const courseUrl = new URL(options.courseUrl);
  const get = makeGet({ https, origin: courseUrl.origin, bearer });

  async function media(playlist: URL, what: string, signal: AbortSignal): Promise<MediaPlaylist> {
    const limits = { what, maxBytes: PLAYLIST_MAX_BYTES, retry };
    const read = async (url: URL) =>
      readPlaylist((await getDocument(get, url, limits, signal)).toString('utf8'), url, what);
    const first = await read(playlist);
    if ('media' in first) return first.media;
    const second = await read(first.variant);
    if ('variant' in second) throw new JobEnd('manifest_invalid', `${what}: a variant is no media playlist`);
    return second.media;
  }

  return {
    retry,
    list: () => Promise.resolve([]),
    open: ({ path }) => Promise.reject(new TypeError(`${path} was not listed`)),
    streams: async (signal) => {
      const limits = { what: 'course', maxBytes: COURSE_MAX_BYTES, retry };
      const course = readHlsCourse(parseJson(await getDocument(get, courseUrl, limits, signal), 'course'), courseUrl);
      const streams: StreamFile[] = [];
      let segments = 0;
      for (let at = 0; at < course.length; at += PLAYLISTS_AT_ONCE) {
        const read = await Promise.all(
          course.slice(at, at + PLAYLISTS_AT_ONCE).map(async ({ path, playlist }) => {
            const what = JSON.stringify(path);
            const found = await media(playlist, what, signal);
            // Protected content is refused before anything of the course goes to Drive.
            if (found.init !== undefined) await judgeInit({ get, what, retry }, found.init, signal);
            return { path, what, found };
          }),
        );
        for (const { path, what, found } of read) {
          segments += found.segments.length;
          if (segments > SEGMENTS_OF_COURSE_MAX)
            throw new JobEnd('manifest_invalid', `course: more than ${SEGMENTS_OF_COURSE_MAX} segments`);
          streams.push({
            path,
            contentType: 'video/mp4',
            version: createHash('sha256').update(JSON.stringify(found)).digest('hex'),
            open: (stop) =>
              remux(
                segmentsOf({ get, what, retry }, found, stop),
                found.init === undefined ? 'mpegts' : 'mov',
                what,
                stop,
              ),
          });
        }
      }
      return streams;
    },
  };
}
