/** One byte range of a download, both ends inclusive; RFC 9110 section 14. */
export type ByteRange = { start: number; end: number };

/**
 * What a `Range` header asks of a body of `size` bytes. 'whole' where there is none, where it is malformed, or where it
 * names several ranges (a server may ignore those); 'unsatisfiable' is a 416.
 */
export function byteRange(header: string | undefined, size: number): ByteRange | 'whole' | 'unsatisfiable' {
  const [, first, last] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header ?? '') ?? [];
  if (first === undefined || last === undefined || (first === '' && last === '')) return 'whole';
  if (first === '') {
    const length = Math.min(Number(last), size);
    return length === 0 ? 'unsatisfiable' : { start: size - length, end: size - 1 };
  }
  if (last !== '' && Number(last) < Number(first)) return 'whole';
  if (Number(first) >= size) return 'unsatisfiable';
  return { start: Number(first), end: Math.min(last === '' ? size - 1 : Number(last), size - 1) };
}
