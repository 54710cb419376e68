/** Names for files and folders from titles that people wrote. Pure. */

export const NAME_MAX_BYTES = 255;
const CONTROL = /[\p{Cc}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

function cut(text: string, maxBytes: number): string {
  let bytes = 0;
  let kept = '';
  // By grapheme, so that no Vietnamese letter loses its marks.
  for (const { segment } of new Intl.Segmenter('vi', { granularity: 'grapheme' }).segment(text)) {
    bytes += Buffer.byteLength(segment);
    if (bytes > maxBytes) break;
    kept += segment;
  }
  return kept.trim();
}

/**
 * One part of a path: NFC, without slashes and control characters, at most NAME_MAX_BYTES with `ending` (`.mp4`), never
 * empty or of dots alone.
 */
export function nameFrom(title: string, ending = ''): string {
  const plain = title
    .toWellFormed()
    .normalize('NFC')
    .replaceAll(/[/\\]/g, '-')
    .replaceAll(CONTROL, ' ')
    .replaceAll(/\s+/g, ' ')
    .trim();
  const name = cut(plain, NAME_MAX_BYTES - Buffer.byteLength(ending));
  return `${/^\.*$/.test(name) ? 'untitled' : name}${ending}`;
}

/** The same names, where one occurs again with ` (2)`, ` (3)` … before its ending. Case does not tell names apart. */
export function distinctNames(names: readonly { title: string; ending: string }[]): string[] {
  const taken = new Set<string>();
  return names.map(({ title, ending }) => {
    for (let n = 1; ; n += 1) {
      const name = nameFrom(title, n === 1 ? ending : ` (${n})${ending}`);
      const key = name.toLowerCase();
      if (taken.has(key)) continue;
      taken.add(key);
      return name;
    }
  });
}
