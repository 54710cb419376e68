/** HLS courses: clear ones of each shape, and one for each way in which a stream says that it is protected. */
import { readFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import type { Router } from '@koa/router';
import type { Context } from 'koa';
import { sendBytes } from '../send-bytes.ts';

const MEDIA = new URL('media/', import.meta.url);
const NAME = /^[a-z0-9-]+\.(m2t|m4s|mp4)$/;
const PLAYLIST = 'application/vnd.apple.mpegurl';

const media = (tags: string, segments: readonly string[], end = '#EXT-X-ENDLIST\n'): string =>
  `#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:2\n#EXT-X-PLAYLIST-TYPE:VOD\n${tags}${segments
    .map((segment) => `#EXTINF:2.0,\n${segment}\n`)
    .join('')}${end}`;
const TS = ['media/ts-0.m2t', 'media/ts-1.m2t', 'media/ts-2.m2t'];
const ranges = (bytes: readonly number[]): string[] => {
  let at = 0;
  return bytes.map((length) => {
    at += length;
    return `#EXT-X-BYTERANGE:${length}@${at - length}\nmedia/single.m2t`;
  });
};
const keyed = (key: string): string => media(`${key}\n`, TS);

/** Playlists by name; `single` is added once the size of its file is known. */
const PLAYLISTS: Readonly<Record<string, string>> = {
  plain: media('', TS),
  none: media('#EXT-X-KEY:METHOD=NONE\n', TS),
  discontinuity: media('', [...TS, `#EXT-X-DISCONTINUITY\n${TS[0]}`, ...TS.slice(1)]),
  fragments: media('#EXT-X-MAP:URI="media/init.mp4"\n', ['media/frag-0.m4s', 'media/frag-1.m4s', 'media/frag-2.m4s']),
  master:
    '#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=100,RESOLUTION=80x45\nlive.m3u8\n' +
    '#EXT-X-STREAM-INF:BANDWIDTH=50000,RESOLUTION=160x90\nplain.m3u8\n',
  live: media('', TS, ''),
  'aes-128': keyed('#EXT-X-KEY:METHOD=AES-128,URI="https://localhost/key",IV=0x00000000000000000000000000000001'),
  'sample-aes': keyed('#EXT-X-KEY:METHOD=SAMPLE-AES,URI="skd://key",KEYFORMAT="com.apple.streamingkeydelivery"'),
  'sample-aes-ctr': keyed(
    '#EXT-X-KEY:METHOD=SAMPLE-AES-CTR,URI="data:text/plain;base64,AAAA",KEYFORMAT="urn:uuid:edef8ba9-79d6-4ace-a3c8-27dcd51d21ed"',
  ),
  'unknown-method': keyed('#EXT-X-KEY:METHOD=ROT13'),
  'session-key': `#EXTM3U\n#EXT-X-SESSION-KEY:METHOD=AES-128,URI="https://localhost/key"\n#EXT-X-STREAM-INF:BANDWIDTH=1\nplain.m3u8\n`,
  'session-data': `#EXTM3U\n#EXT-X-SESSION-DATA:DATA-ID="com.widevine.license",VALUE="x"\n#EXT-X-STREAM-INF:BANDWIDTH=1\nplain.m3u8\n`,
  'late-key': media('', [...TS, `#EXT-X-KEY:METHOD=AES-128,URI="https://localhost/key"\n${TS[0]}`]),
  'encrypted-init': media('#EXT-X-MAP:URI="media/pssh.mp4"\n', ['media/frag-0.m4s']),
  local: media('', ['file:///etc/passwd']),
  elsewhere: media('', ['http://169.254.169.254/latest/meta-data']),
};

const CLEAR = ['plain', 'none', 'discontinuity', 'fragments', 'master', 'single'];

async function mediaFile(name: string): Promise<Buffer | undefined> {
  if (!NAME.test(name)) return undefined;
  // A box of a DRM system, as it stands in encrypted files; no content.
  if (name === 'pssh.mp4') return Buffer.from('\0\0\0\x20psshsandbox', 'latin1');
  return await readFile(new URL(name, MEDIA)).catch(() => undefined);
}

/** `GET /courses/hls/course.json` names all clear streams, `/courses/hls-NAME/course.json` just one. */
export function addHlsRoutes(router: Router): void {
  const missing = (ctx: Context): void => {
    ctx.status = 404;
    ctx.body = { error: 'stream_unknown' };
  };
  router.get('hls.course', '/courses/:id/course.json', (ctx) => {
    const id = String(ctx['params'].id);
    const names = id === 'hls' ? CLEAR : [id.replace(/^hls-/, '')];
    const streams = names.map((name, index) => ({
      path: `Phần 1/Bài ${index + 1} - ${name}.mp4`,
      playlist: `${name}.m3u8`,
    }));
    const protection = id === 'hls-unmarked' ? undefined : 'none';
    ctx.body = { format: 'lading-hls/1', protection, streams };
  });
  router.get('hls.playlist', '/courses/:id/:name.m3u8', async (ctx) => {
    const name = String(ctx['params'].name);
    const whole = name === 'single' ? (await mediaFile('single.m2t'))?.length : undefined;
    const half = Math.floor((whole ?? 0) / 188 / 2) * 188;
    const text = whole === undefined ? PLAYLISTS[name] : media('', ranges([half, whole - half]));
    if (text === undefined) missing(ctx);
    else {
      ctx.type = PLAYLIST;
      ctx.body = text;
    }
  });
  router.get('hls.media', '/courses/:id/media/:name', async (ctx) => {
    const name = String(ctx['params'].name);
    const bytes = await mediaFile(name);
    if (bytes === undefined) missing(ctx);
    else
      sendBytes(ctx, {
        size: bytes.length,
        contentType: name.endsWith('.m2t') ? 'video/mp2t' : 'video/mp4',
        etag: `"${name}"`,
        open: (start, end) => Readable.from([bytes.subarray(start, end + 1)], { objectMode: false }),
      });
  });
}
