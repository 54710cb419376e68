/**
 * The proof that the stored log of an attempt is complete and unchanged: the chunks follow one another without a gap,
 * each is what its hash says, chained to the one before, its lines are counted on, and the end record closes the chain.
 */
import { zstdDecompressSync } from 'node:zlib';
import { z } from 'zod';
import { chainHash, FIRST_HASH } from './log-chain.ts';
import type { LogEnd, StoredChunk } from './logs.ts';
import { CHUNK_MAX_BYTES } from './log-lines.ts';

export type Proof = {
  status: 'ok' | 'running' | 'broken';
  chunks: number;
  lines: number;
  raw_bytes: number;
  /** Lines the attempt said beyond its limit: counted, not kept. */
  lines_cut: number;
  /** Places where lines are lost, as the lines after them are marked. */
  gaps: number;
  final_hash: string;
  faults: string[];
};

const FAULTS_MAX = 20;
const lineSchema = z.object({ n: z.int(), g: z.literal(1).optional() });

function decompressed(zstd: Buffer): Buffer | undefined {
  try {
    return zstdDecompressSync(zstd, { maxOutputLength: CHUNK_MAX_BYTES });
  } catch {
    return undefined;
  }
}

function parsed(text: string): z.infer<typeof lineSchema> | undefined {
  try {
    return lineSchema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** What is wrong with the lines of a chunk, going by what its row says of them, and how many stand after a gap. */
function lookAtLines(chunk: StoredChunk, raw: Buffer): { faults: string[]; gaps: number } {
  const lines = raw.toString('utf8').split('\n');
  const ended = lines.pop() === '';
  const seen = lines.map(parsed);
  const wrongAt = seen.findIndex((line, at) => line?.n !== chunk.first_line + at);
  const faults = [
    ...(raw.length === chunk.raw_bytes ? [] : [`${raw.length} bytes, ${chunk.raw_bytes} are recorded`]),
    ...(ended ? [] : ['the last line is cut']),
    ...(seen.length === chunk.line_count ? [] : [`${seen.length} lines, ${chunk.line_count} are recorded`]),
    ...(wrongAt < 0 ? [] : [`line ${chunk.first_line + wrongAt} is not there, or is another`]),
  ];
  return { faults, gaps: seen.filter((line) => line?.g).length };
}

/** What the end record says against what is stored. */
function endFaults(
  end: LogEnd,
  stored: Pick<Proof, 'chunks' | 'lines' | 'raw_bytes' | 'gaps'>,
  hash: Buffer,
): string[] {
  const counts = (['chunks', 'lines', 'raw_bytes', 'gaps'] as const)
    .filter((name) => end[name] !== stored[name])
    .map((name) => `end record: ${end[name]} ${name.replace('_', ' ')}, ${stored[name]} are stored`);
  return [...counts, ...(end.final_hash.equals(hash) ? [] : ['end record: final hash differs'])];
}

/** Takes the chunks of an attempt in their order; `finish` says what they prove. */
export function startProof(): {
  take: (chunk: StoredChunk) => void;
  finish: (attempt: { settled: boolean; ran: boolean }, end: LogEnd | undefined) => Proof;
} {
  const stored = { chunks: 0, lines: 0, raw_bytes: 0, gaps: 0 };
  const faults: string[] = [];
  let nextSeq = 0;
  let nextLine = 1;
  let hash: Buffer = FIRST_HASH;

  function faultsOf(chunk: StoredChunk): string[] {
    const raw = decompressed(chunk.zstd);
    if (raw === undefined) return ['cannot be decompressed'];
    const follows = chunk.seq === nextSeq;
    // After a gap neither the chain nor the count can be compared; the gap itself has been said.
    const { faults: ofLines, gaps } = lookAtLines(chunk, raw);
    stored.gaps += gaps;
    const chained = !follows || chainHash(hash, raw).equals(chunk.hash);
    return [
      ...(chained ? [] : ['hash differs']),
      ...(!follows || chunk.first_line === nextLine ? [] : [`begins with line ${chunk.first_line}, not ${nextLine}`]),
      ...ofLines,
    ];
  }

  return {
    take: (chunk) => {
      if (chunk.seq > nextSeq + 1) faults.push(`chunks ${nextSeq} to ${chunk.seq - 1}: missing`);
      else if (chunk.seq > nextSeq) faults.push(`chunk ${nextSeq}: missing`);
      faults.push(...faultsOf(chunk).map((fault) => `chunk ${chunk.seq}: ${fault}`));
      stored.chunks += 1;
      stored.lines += chunk.line_count;
      stored.raw_bytes += chunk.raw_bytes;
      nextSeq = chunk.seq + 1;
      nextLine = chunk.first_line + chunk.line_count;
      hash = chunk.hash;
    },
    finish: ({ settled, ran }, end) => {
      if (end) faults.push(...endFaults(end, stored, hash));
      else if (settled && (ran || stored.chunks > 0)) faults.push('end record: missing');
      const said = faults.slice(0, FAULTS_MAX);
      if (faults.length > FAULTS_MAX) said.push(`and ${faults.length - FAULTS_MAX} more`);
      return {
        status: faults.length > 0 ? 'broken' : end || settled ? 'ok' : 'running',
        ...stored,
        lines_cut: end?.lines_cut ?? 0,
        final_hash: hash.toString('hex'),
        faults: said,
      };
    },
  };
}
