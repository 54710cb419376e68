/** The stored form of log lines: NDJSON, compressed, each chunk chained to the one before. Pure. */
import { zstdCompressSync } from 'node:zlib';
import { chainHash, FIRST_HASH } from '../../sql/log-chain.ts';
import type { LogChunk, LogTail } from '../../sql/logs.ts';
import type { LogLine } from './line.ts';
import type { Mask } from './masker.ts';
import type { ResumePoint } from './resume.ts';

/** `afterGap`: between this line and the one before it lines are lost, how many nobody knows. */
export type KeptLine = LogLine & { afterGap?: true };

/** The texts without secrets: parts of long lines one by one, all others in one go. */
function maskedTexts(lines: readonly KeptLine[], mask: Mask): string[] {
  const whole = mask(lines.map((line) => (line.around ? '' : line.text)).join('\n')).split('\n');
  // The daemon ends a line at a newline, so that none has one inside.
  const isApart = whole.length === lines.length;
  return lines.map((line, i) => (line.around || !isApart ? mask(line.text, line.around) : (whole[i] ?? '')));
}

const encodeLine = (line: KeptLine, n: number, text: string): string =>
  JSON.stringify({
    n,
    t: line.at,
    s: line.stream === 'stdout' ? 'o' : 'e',
    l: text,
    ...(line.continues ? { c: 1 } : {}),
    ...(line.afterGap ? { g: 1 } : {}),
  });

/** Lines as they are stored, without secrets, numbered from `firstLine`. */
export function encodeLines(lines: readonly KeptLine[], firstLine: number, mask: Mask): Buffer {
  const texts = maskedTexts(lines, mask);
  return Buffer.from(lines.map((line, i) => `${encodeLine(line, firstLine + i, texts[i] ?? '')}\n`).join(''));
}

/** What a chunk is made of: encoded lines, how many, and what is known of them. */
export type ChunkContent = { raw: Buffer; lineCount: number; lastAt: string; gaps: number; resume: ResumePoint };

/** The chunk that follows `tail`, and the tail after it. */
export function nextChunk(
  attemptId: string,
  tail: LogTail,
  { raw, lineCount, lastAt, gaps, resume }: ChunkContent,
): { chunk: LogChunk; tail: LogTail } {
  const chunk: LogChunk = {
    attemptId,
    seq: tail.chunks,
    firstLine: tail.lines + 1,
    lineCount,
    rawBytes: raw.length,
    lastAt,
    resumeAt: resume.at ?? null,
    resumeLines: resume.lines,
    gaps,
    zstd: zstdCompressSync(raw),
    hash: chainHash(tail.hash ?? FIRST_HASH, raw),
  };
  return {
    chunk,
    tail: {
      chunks: tail.chunks + 1,
      lines: tail.lines + lineCount,
      raw_bytes: tail.raw_bytes + raw.length,
      last_at: lastAt,
      resume_at: chunk.resumeAt,
      resume_lines: chunk.resumeLines,
      hash: chunk.hash,
    },
  };
}

/** What one entry of the daemon's log file has beside its text: names, stream and timestamp. */
const DAEMON_ENTRY_BYTES = 74;
/** How much more that is than what we write of a line, at most. */
export const DAEMON_EXTRA_BYTES = 8;
const DAEMON_ESCAPE_BYTES = 6;
/** Up to three bytes that are no UTF-8 became one replacement letter; the daemon escapes each. */
const UNREADABLE_BYTES = 3 * DAEMON_ESCAPE_BYTES;

const SPACE = 0x20;
const NON_ASCII = 0x80;
const REPLACEMENT = 0xfffd;
const ESCAPED = new Set(Buffer.from('"\\<>&'));
const ESCAPED_LINE_ENDS = new Set([0x2028, 0x2029]);
const UTF8_LETTER_BYTES_MAX = 3;

function daemonLetterBytes(code: number): number {
  if (code < SPACE || ESCAPED.has(code)) return DAEMON_ESCAPE_BYTES;
  if (code < NON_ASCII) return 1;
  if (code === REPLACEMENT) return UNREADABLE_BYTES;
  return ESCAPED_LINE_ENDS.has(code) ? DAEMON_ESCAPE_BYTES : UTF8_LETTER_BYTES_MAX;
}

/** At most what these lines take in the daemon's log file, which escapes more than we do. */
export function daemonBytes(lines: readonly LogLine[]): number {
  let bytes = lines.length * DAEMON_ENTRY_BYTES;
  for (const { text } of lines) for (let i = 0; i < text.length; i += 1) bytes += daemonLetterBytes(text.charCodeAt(i));
  return bytes;
}
