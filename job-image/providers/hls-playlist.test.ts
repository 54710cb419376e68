import { describe, expect, test } from '@jest/globals';
import { readPlaylist, refuseProtected, refuseProtectedInit, SEGMENTS_MAX } from './hls-playlist.ts';

const URL_OF = new URL('https://media.example/course/index.m3u8');
const media = (lines: string, end = '#EXT-X-ENDLIST\n'): string =>
  `#EXTM3U\n#EXT-X-VERSION:8\n#EXT-X-TARGETDURATION:2\n${lines}${end}`;
const SEGMENT = '#EXTINF:2.0,\na.ts\n';
const read = (text: string) => readPlaylist(text, URL_OF, 'stream');
const reasonOf = (work: () => unknown): unknown => {
  try {
    work();
    return undefined;
  } catch (error) {
    return (error as { reason?: string }).reason;
  }
};

describe('readPlaylist', () => {
  test('resolves segments and byte ranges, and takes the best variant that holds sound and picture', () => {
    const ranged = media('#EXTINF:2.0,\n#EXT-X-BYTERANGE:10@0\na.ts\n#EXTINF:2.0,\n#EXT-X-BYTERANGE:5\na.ts\n');
    const url = new URL('https://media.example/course/a.ts');
    expect(read(ranged)).toEqual({
      media: {
        init: undefined,
        segments: [
          { url, offset: 0, length: 10 },
          { url, offset: 10, length: 5 },
        ],
      },
    });
    const master =
      '#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="a",URI="sound.m3u8"\n' +
      '#EXT-X-STREAM-INF:BANDWIDTH=9,AUDIO="a",CODECS="avc1.4d401f,mp4a.40.2"\nmute.m3u8\n' +
      '#EXT-X-STREAM-INF:BANDWIDTH=5\nbest.m3u8\n#EXT-X-STREAM-INF:BANDWIDTH=1\nsmall.m3u8\n';
    expect(read(master)).toEqual({ variant: new URL('https://media.example/course/best.m3u8') });
  });

  test('has as many segments as SEGMENTS_MAX and no more', () => {
    expect(read(media(SEGMENT.repeat(SEGMENTS_MAX)))).toHaveProperty('media.segments.length', SEGMENTS_MAX);
    expect(reasonOf(() => read(media(SEGMENT.repeat(SEGMENTS_MAX + 1))))).toBe('manifest_invalid');
  });

  test.each([
    ['live', media(SEGMENT, '')],
    ['nothing to play', media('')],
    ['no playlist', '<html></html>'],
    ['a gap', media(`#EXT-X-GAP\n${SEGMENT}`)],
    ['plain http', media('#EXTINF:2.0,\nhttp://media.example/a.ts\n')],
    ['a password', media('#EXTINF:2.0,\nhttps://a:b@media.example/a.ts\n')],
    ['two initialisations', media(`#EXT-X-MAP:URI="a.mp4"\n${SEGMENT}#EXT-X-MAP:URI="b.mp4"\n${SEGMENT}`)],
    ['a late initialisation', media(`${SEGMENT}#EXT-X-MAP:URI="a.mp4"\n${SEGMENT}`)],
  ])('%s is malformed', (_name, text) => {
    expect(reasonOf(() => read(text))).toBe('manifest_invalid');
  });
});

describe('protection fails closed', () => {
  test.each([
    '#EXT-X-KEY:METHOD=AES-128,URI="k"',
    '#EXT-X-KEY:METHOD=NONE,URI="k"',
    '#EXT-X-KEY:method=none',
    '#EXT-X-KEY',
    ' #EXT-X-KEY:METHOD=SAMPLE-AES',
    '#EXT-X-SESSION-KEY:METHOD=NONE',
    '#EXT-X-DATERANGE:ID="1",X-KEYFORMAT="com.widevine"',
    '#EXT-X-MAP:URI="skd://x"',
    '#EXT-X-FAXS-CM:URI="drm.bin"',
    '#EXT-X-DATERANGE:ID="1",X-SCHEME="cbcs"',
  ])('%s', (line) => {
    expect(reasonOf(() => refuseProtected(`#EXTM3U\r\n${line}\r\n`, 'stream'))).toBe('protected_content');
  });
  test('METHOD=NONE alone is clear, and so are words in names of segments', () => {
    expect(() =>
      refuseProtected(
        '#EXTM3U\n#EXT-X-KEY:METHOD=NONE\n#EXT-X-DATERANGE:ID="licenses"\n#EXTINF:1,\nfairplay.ts\n',
        'stream',
      ),
    ).not.toThrow();
  });
  test.each(['pssh', 'sinf', 'schm', 'tenc', 'encv', 'enca', 'enct', 'encs', 'senc', 'cenc', 'cens', 'cbc1', 'cbcs'])(
    'a box %s',
    (box) => {
      expect(reasonOf(() => refuseProtectedInit(Buffer.from(`ftypmoov${box}`), 'stream'))).toBe('protected_content');
    },
  );
});
