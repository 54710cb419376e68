import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { encodeLines, nextChunk } from '../orchestrator/logs/log-chunk.ts';
import { chainHash, FIRST_HASH } from './log-chain.ts';
import { NO_LOG, type LogEnd, type LogTail, type StoredChunk } from './logs.ts';
import { startProof, type Proof } from './log-proof.ts';
import { madeLog } from '../cli/test-log.ts';

const SETTLED = { settled: true, ran: true };
function prove(chunks: readonly StoredChunk[], end: LogEnd | undefined, attempt = SETTLED): Proof {
  const proof = startProof();
  for (const chunk of chunks) proof.take(chunk);
  return proof.finish(attempt, end);
}
const someLog = fc
  .array(fc.array(fc.string(), { minLength: 1, maxLength: 4 }), { minLength: 2, maxLength: 4 })
  .map((texts) => madeLog(texts));

describe('a log as it was written', () => {
  test('is proved, with its counts and final hash', () => {
    fc.assert(
      fc.property(someLog, ({ chunks, end }) => {
        const { final_hash, ...counts } = end;
        expect(prove(chunks, end)).toEqual({
          status: 'ok',
          ...counts,
          final_hash: final_hash.toString('hex'),
          faults: [],
        });
      }),
    );
  });

  test('by the orchestrator itself, whatever the job says, is proved', () => {
    const said = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('', '\ud800', 'a\u2028b\n', '\0'));
    fc.assert(
      fc.property(fc.array(fc.array(said, { minLength: 1, maxLength: 5 }), { maxLength: 4 }), (parts) => {
        let tail: LogTail = NO_LOG;
        const stored = parts.map((texts) => {
          const at = '2026-01-01T00:00:00.000000001Z';
          const lines = texts.map((text) => ({ at, stream: 'stderr', text, continues: false }) as const);
          const next = nextChunk('attempt', tail, {
            raw: encodeLines(lines, tail.lines + 1, (text) => text),
            lineCount: lines.length,
            lastAt: at,
            gaps: 0,
            resume: { at: undefined, lines: 0 },
          });
          tail = next.tail;
          const { seq, firstLine, lineCount, rawBytes, zstd, hash } = next.chunk;
          return { seq, first_line: firstLine, line_count: lineCount, raw_bytes: rawBytes, zstd, hash };
        });
        const { chunks, lines, raw_bytes } = tail;
        const end = { chunks, lines, raw_bytes, lines_cut: 3, gaps: 0, final_hash: tail.hash ?? Buffer.alloc(32) };
        expect(prove(stored, end)).toMatchObject({ status: 'ok', chunks, lines, raw_bytes, lines_cut: 3, faults: [] });
      }),
    );
  });

  test('says where lines were lost, as the end record does', () => {
    const raw = Buffer.from('{"n":1,"l":"before"}\n{"n":2,"l":"after","g":1}\n');
    const hash = chainHash(FIRST_HASH, raw);
    const chunk = { seq: 0, first_line: 1, line_count: 2, raw_bytes: raw.length, zstd: zstdCompressSync(raw), hash };
    const end = { chunks: 1, lines: 2, raw_bytes: raw.length, lines_cut: 0, gaps: 1, final_hash: hash };
    expect(prove([chunk], end)).toMatchObject({ status: 'ok', gaps: 1, faults: [] });
    expect(prove([chunk], { ...end, gaps: 0 }).faults).toEqual(['end record: 0 gaps, 1 are stored']);
  });

  test('of an attempt that is not settled may go on', () => {
    const { chunks } = madeLog([['one'], ['two']]);
    expect(prove(chunks, undefined, { settled: false, ran: true })).toMatchObject({ status: 'running', lines: 2 });
    expect(prove([], undefined, { settled: false, ran: false })).toMatchObject({ status: 'running', faults: [] });
  });

  test('of an attempt that never ran may be none', () => {
    expect(prove([], undefined, { settled: true, ran: false })).toMatchObject({ status: 'ok', chunks: 0 });
  });
});

describe('what was changed since is found', () => {
  test('any bit of what is stored', () => {
    fc.assert(
      fc.property(someLog, fc.nat(), fc.nat(), fc.nat({ max: 7 }), ({ chunks, end }, which, where, bit) => {
        const at = which % chunks.length;
        const changed = chunks.map((chunk) => ({ ...chunk, zstd: Buffer.from(chunk.zstd) }));
        const { zstd } = changed[at] as StoredChunk;
        zstd.writeUInt8(zstd.readUInt8(where % zstd.length) ^ (1 << bit), where % zstd.length);
        const proof = prove(changed, end);
        // A bit that changes nothing of the lines is no change of the log.
        let lines: Buffer | undefined;
        try {
          lines = zstdDecompressSync(zstd);
        } catch {
          lines = undefined;
        }
        const same = lines?.equals(zstdDecompressSync(chunks[at]?.zstd ?? zstd)) ?? false;
        expect(proof.status).toBe(same ? 'ok' : 'broken');
      }),
      { numRuns: 500 },
    );
  });

  const { chunks, end } = madeLog([['one', 'two'], ['three'], ['four', 'five'], ['six']]);
  const change = (seq: number, by: Partial<StoredChunk>): StoredChunk[] =>
    chunks.map((chunk) => (chunk.seq === seq ? { ...chunk, ...by } : chunk));
  const rewritten = (seq: number, from: string, to: string): StoredChunk[] => {
    const raw = zstdDecompressSync(chunks[seq]?.zstd ?? Buffer.alloc(0)).toString('utf8');
    return change(seq, { zstd: zstdCompressSync(raw.replace(from, to)) });
  };

  test.each<[string, StoredChunk[], LogEnd | undefined, string[]]>([
    ['a word', rewritten(1, 'three', 'THREE'), end, ['chunk 1: hash differs']],
    [
      'the number of a line',
      rewritten(2, '"n":5', '"n":6'),
      end,
      ['chunk 2: hash differs', 'chunk 2: line 5 is not there, or is another'],
    ],
    ['a chunk in the middle', chunks.toSpliced(1, 1), end, ['chunk 1: missing', 'end record: 4 chunks, 3 are stored']],
    ['two chunks', chunks.toSpliced(1, 2), end, ['chunks 1 to 2: missing', 'end record: 4 chunks, 2 are stored']],
    ['the first chunk', chunks.slice(1), end, ['chunk 0: missing', 'end record: 4 chunks, 3 are stored']],
    [
      'the last chunk',
      chunks.slice(0, -1),
      end,
      ['end record: 4 chunks, 3 are stored', 'end record: final hash differs'],
    ],
    [
      'a chunk, and the rest renumbered',
      chunks.toSpliced(1, 1).map((chunk, seq) => ({ ...chunk, seq })),
      { ...end, chunks: 3 },
      ['chunk 1: hash differs', 'chunk 1: begins with line 4, not 3', 'end record: 6 lines, 5 are stored'],
    ],
    ['everything', [], end, ['end record: 4 chunks, 0 are stored', 'end record: final hash differs']],
    ['the end record', chunks, undefined, ['end record: missing']],
    ['everything and the end record', [], undefined, ['end record: missing']],
    ['a hash', change(1, { hash: Buffer.alloc(32, 1) }), end, ['chunk 1: hash differs', 'chunk 2: hash differs']],
    ['a count of lines', change(1, { line_count: 2 }), end, ['chunk 1: 1 lines, 2 are recorded']],
    ['a count of bytes', change(1, { raw_bytes: 1 }), end, ['chunk 1: 65 bytes, 1 are recorded']],
    ['the final hash', chunks, { ...end, final_hash: Buffer.alloc(32) }, ['end record: final hash differs']],
  ])('%s', (_, stored, ended, faults) => {
    const proof = prove(stored, ended);
    expect(proof.status).toBe('broken');
    expect(proof.faults).toEqual(expect.arrayContaining(faults));
  });

  test('and not said without end', () => {
    const many = madeLog(Array.from({ length: 60 }, () => ['x'])).chunks.map((chunk) => ({
      ...chunk,
      zstd: Buffer.from('no zstd'),
    }));
    const { faults } = prove(many, undefined);
    expect([faults[0], faults.at(-1), faults.length]).toEqual(['chunk 0: cannot be decompressed', 'and 41 more', 21]);
  });
});
