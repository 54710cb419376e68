/** What one PUT to an upload session asks for; Drive's "Upload file data", resumable. Pure. */

/** Every chunk but the last is a multiple of this, and so is what survives a dropped connection. */
export const BLOCK_BYTES = 256 * 1024;

export type Progress = {
  /** Bytes kept so far. */
  received: number;
  /** Size of the whole, once it is known. */
  total: number | undefined;
};
export type Put =
  /** How far are we? `total` may be told here for the first time. */
  | { act: 'query'; total: number | undefined }
  /** Bytes from `start` on; `length` is unknown for a whole body sent without a length. */
  | { act: 'append'; start: number; length: number | undefined; total: number | undefined; isLast: boolean }
  | { act: 'refuse'; message: string };

const refuse = (message: string): Put => ({ act: 'refuse', message });
const NUMBER = String.raw`(\d{1,15})`;
const QUERY = new RegExp(String.raw`^bytes \*/(?:${NUMBER}|\*)$`);
const CHUNK = new RegExp(String.raw`^bytes ${NUMBER}-${NUMBER}/(?:${NUMBER}|\*)$`);
const numberOf = (text: string | undefined): number | undefined => (text === undefined ? undefined : Number(text));

/** Decides by headers alone, before a byte of the body is read. Empty headers are undefined. */
export function readPut(
  contentRange: string | undefined,
  contentLength: number | undefined,
  { received, total }: Progress,
): Put {
  const contradicts = (told: number | undefined): boolean =>
    told !== undefined && total !== undefined && told !== total;
  if (contentRange === undefined) {
    if (contradicts(contentLength)) return refuse(`body of ${contentLength} bytes, announced ${total}`);
    return { act: 'append', start: 0, length: contentLength, total: total ?? contentLength, isLast: true };
  }
  const query = QUERY.exec(contentRange);
  if (query) {
    const told = numberOf(query[1]);
    if ((contentLength ?? 0) > 0) return refuse('a status query has no body');
    return contradicts(told) ? refuse(`size ${told}, announced ${total}`) : { act: 'query', total: told ?? total };
  }
  const chunk = CHUNK.exec(contentRange);
  if (!chunk) return refuse('Failed to parse Content-Range header.');
  const [first, last, told] = [Number(chunk[1]), Number(chunk[2]), numberOf(chunk[3])];
  const length = last - first + 1;
  const whole = told ?? total;
  if (length < 1 || (whole !== undefined && last >= whole)) return refuse('Failed to parse Content-Range header.');
  if (contradicts(told)) return refuse(`size ${told}, announced ${total}`);
  if (contentLength !== undefined && contentLength !== length)
    return refuse(`body of ${contentLength} bytes for a range of ${length}`);
  const isLast = whole !== undefined && last + 1 === whole;
  if (!isLast && length % BLOCK_BYTES !== 0)
    return refuse(`a chunk that is not the last has a multiple of ${BLOCK_BYTES} bytes, this one ${length}`);
  if (first > received) return refuse(`gap: ${received} bytes are here, the chunk starts at ${first}`);
  return { act: 'append', start: first, length, total: whole, isLast };
}
