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
/** Letters that the daemon writes longer than JSON.stringify, as six bytes, and unreadable bytes, six each. */
const DEARER = /[<>&\t\b\f\u2028\u2029]/g;
const UNREADABLE = /\ufffd/g;

/** At most what these lines take in the daemon's log file. */
export function daemonBytes(lines: readonly LogLine[]): number {
  const text = lines.map((line) => line.text).join('\n');
  const dearer = (text.match(DEARER)?.length ?? 0) * 5 + (text.match(UNREADABLE)?.length ?? 0) * 15;
  return Buffer.byteLength(JSON.stringify(text)) + dearer + lines.length * DAEMON_ENTRY_BYTES;
}
