/**
 * HLS playlists (RFC 8216): what may be read of them. Protection is judged on the text first, and fails closed: every key
 * tag whose method is not exactly NONE, every session key and every mark of a DRM system is protected content.
 */
import HLS from 'hls-parser';
import { JobEnd } from '../ending.ts';
import { plainHttps } from './get.ts';

/** No segment is as large. */
const BYTES_MAX = 2 ** 40;

export const SEGMENTS_MAX = 20_000;
const DRM_MARK =
  /widevine|fairplay|playready|clearkey|streamingkeydelivery|skd:|urn:uuid:|SAMPLE-AES|AES-128|KEYFORMAT|EXT-X-FAXS|primetime|marlin|\b(?:cenc|cens|cbc1|cbcs)\b/i;
/** Boxes of ISO/IEC 23001-7 and 14496-12, and the schemes a `schm` names. */
const INIT_MARKS = [
  'pssh',
  'sinf',
  'schm',
  'tenc',
  'senc',
  'encv',
  'enca',
  'enct',
  'encs',
  'cenc',
  'cens',
  'cbc1',
  'cbcs',
];

export type Segment = { readonly url: URL; readonly offset: number; readonly length: number | undefined };
export type MediaPlaylist = {
  readonly init: Segment | undefined;
  readonly segments: readonly Segment[];
};

const protectedContent = (detail: string): JobEnd => new JobEnd('protected_content', detail);

/** Throws JobEnd protected_content. */
export function refuseProtected(text: string, what: string): void {
  for (const line of text.split(/\r\n|\n|\r/).map((each) => each.trim())) {
    if (/^#EXT-X-SESSION-KEY/i.test(line)) throw protectedContent(`${what}: has a session key`);
    if (/^#EXT-X-KEY/i.test(line) && !/^#EXT-X-KEY:METHOD=NONE$/.test(line))
      throw protectedContent(`${what}: has a key other than NONE`);
    if (line.startsWith('#EXT') && DRM_MARK.test(line))
      throw protectedContent(`${what}: carries the mark of a DRM system`);
  }
}

/** Throws JobEnd protected_content where the first box of fragmented MP4 speaks of encryption. */
export function refuseProtectedInit(init: Buffer, what: string): void {
  const mark = INIT_MARKS.find((name) => init.includes(name, 0, 'latin1'));
  if (mark !== undefined) throw protectedContent(`${what}: its initialisation has a box ${mark}`);
}

// It would print what it takes exception to.
HLS.setOptions({ silent: true });

const invalid = (detail: string): JobEnd => new JobEnd('manifest_invalid', detail);

function resolved(uri: string, base: URL, what: string): URL {
  const url = plainHttps(uri, base);
  if (url === undefined) throw invalid(`${what}: names no plain https address`);
  return url;
}

function parsed(text: string, what: string) {
  refuseProtected(text, what);
  try {
    return HLS.parse(text);
  } catch {
    throw invalid(`${what}: is no HLS playlist`);
  }
}

/**
 * One playlist: the segments of a media playlist, or of a master playlist the address of its best variant that carries
 * sound and picture together. Throws JobEnd.
 */
export function readPlaylist(text: string, url: URL, what: string): { variant: URL } | { media: MediaPlaylist } {
  const playlist = parsed(text, what);
  if (playlist.isMasterPlaylist) {
    const { variants } = playlist;
    const [best] = variants
      .filter(({ isIFrameOnly, audio, video }) => isIFrameOnly !== true && ![...audio, ...video].some(({ uri }) => uri))
      .toSorted((a, b) => b.bandwidth - a.bandwidth);
    if (best === undefined) throw invalid(`${what}: no variant has sound and picture in one stream`);
    return { variant: resolved(best.uri, url, what) };
  }
  const { endlist, isIFrame, segments } = playlist;
  if (!endlist) throw invalid(`${what}: is live, or not finished`);
  if (isIFrame === true || segments.length === 0) throw invalid(`${what}: has no segments to play`);
  if (segments.length > SEGMENTS_MAX) throw invalid(`${what}: has more than ${SEGMENTS_MAX} segments`);
  if (segments.some(({ gap }) => gap === true)) throw invalid(`${what}: has a gap`);
  if (segments.some(({ key }) => key !== undefined && key !== null && key.method !== 'NONE'))
    throw protectedContent(`${what}: has a key other than NONE`);
  const part = (of: { uri?: string; byterange?: HLS.types.Byterange | null | undefined }): Segment => {
    const { offset = 0, length } = of.byterange ?? {};
    const isRange = offset >= 0 && (length === undefined || length >= 1) && offset + (length ?? 0) <= BYTES_MAX;
    if (!Number.isSafeInteger(offset) || !isRange) throw invalid(`${what}: has a byte range that is none`);
    return { url: resolved(of.uri ?? '', url, what), offset, length };
  };
  const inits = new Map(
    segments.flatMap(({ map }) => (map?.uri ? [[JSON.stringify([map.uri, map.byterange]), part(map)] as const] : [])),
  );
  if (inits.size > 1 || (inits.size === 1 && segments.some(({ map }) => !map?.uri)))
    throw invalid(`${what}: changes its initialisation half-way`);
  return { media: { init: [...inits.values()][0], segments: segments.map(part) } };
}
