import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Frame } from '../engine/demux.ts';
import { assembleLines, type LogLine } from './line.ts';
import { recogniseStored, trackResume, type ResumePoint } from './resume.ts';

type Written = { stream: Frame['stream']; at: string; piece: string; ends: boolean };

const stamp = (ms: number): string => new Date(ms).toISOString().replace('Z', '000000Z');
const frameOf = ({ stream, at, piece, ends }: Written): Frame => ({
  stream,
  payload: Buffer.from(`${at} ${piece}${ends ? '\n' : ''}`),
});

/**
 * A daemon's file: lines of both streams, some in pieces that carry the timestamp of the line's beginning, some of one
 * stream written up to half a second after younger ones of the other.
 */
const files = fc
  .array(
    fc.record({
      stream: fc.constantFrom('stdout' as const, 'stderr' as const),
      afterMs: fc.nat(900),
      lateMs: fc.constantFrom(0, 0, 0, 500),
      pieces: fc.integer({ min: 1, max: 3 }),
      /** How long each further piece lets wait. */
      pieceMs: fc.constantFrom(0, 0, 5_000),
    }),
    { minLength: 1, maxLength: 60 },
  )
  .map((lines) => {
    const file: (Written & { writtenMs: number })[] = [];
    const free = { stdout: 0, stderr: 0 };
    let ms = 1_000_000;
    for (const [i, line] of lines.entries()) {
      ms += line.afterMs;
      const begunMs = Math.max(ms, free[line.stream]);
      for (let piece = 0; piece < line.pieces; piece += 1)
        file.push({
          stream: line.stream,
          at: stamp(begunMs),
          piece: `${i}.${piece} `,
          ends: piece === line.pieces - 1,
          writtenMs: begunMs + line.lateMs + piece * line.pieceMs,
        });
      free[line.stream] = begunMs + line.lateMs + (line.pieces - 1) * line.pieceMs;
    }
    return file.toSorted((a, b) => a.writtenMs - b.writtenMs);
  });

/** What the daemon gives: every frame from `since` on that is written by now. */
const given = (file: readonly Written[], since: string | undefined): Frame[] =>
  file.filter((one) => since === undefined || one.at >= since).map(frameOf);

function follow(frames: readonly Frame[], point: ResumePoint, stored: LogLine[], ended: boolean): ResumePoint {
  const lines = assembleLines();
  const resume = trackResume(point.at);
  const reread = recogniseStored(point, stored.at(-1)?.at ?? null);
  const take = (line: LogLine): void => {
    const seen = reread(line);
    if (seen === 'new_after_gap') throw new Error('a gap where nothing is lost');
    if (seen === 'new') stored.push(line);
    resume.note(line);
  };
  for (const frame of frames) {
    const line = lines.take(frame);
    if (line) take(line);
  }
  if (ended) for (const line of lines.rest()) take(line);
  return resume.point();
}

const BEGINNING: ResumePoint = { at: undefined, lines: 0 };
const texts = (lines: readonly LogLine[]): string[] => lines.map((line) => line.text);

describe('a log that is read again after a crash', () => {
  test('is the one that an undisturbed reader stores, wherever the readers died', () => {
    fc.assert(
      fc.property(files, fc.array(fc.nat(200), { maxLength: 4 }), (file, deaths) => {
        const undisturbed: LogLine[] = [];
        follow(given(file, undefined), BEGINNING, undisturbed, true);
        const stored: LogLine[] = [];
        let point = BEGINNING;
        for (const death of deaths.toSorted((a, b) => a - b))
          point = follow(given(file.slice(0, death), point.at), point, stored, false);
        follow(given(file, point.at), point, stored, true);
        expect(texts(stored)).toEqual(texts(undisturbed));
      }),
      { numRuns: 500 },
    );
  });

  const line = (second: number): LogLine => ({
    at: stamp(1_000_000_000 + second * 1_000),
    stream: 'stdout',
    text: `line ${second}`,
    continues: false,
  });
  const pointAfter = (seconds: readonly number[]): ResumePoint => {
    const resume = trackResume(undefined);
    for (const second of seconds) resume.note(line(second));
    return resume.point();
  };

  test('begins a little before the last line, not at the very beginning', () => {
    expect(pointAfter([0, 1, 2, 3, 4, 5])).toEqual({ at: line(3).at, lines: 3 });
  });

  test('does not move on while a line stands open', () => {
    const resume = trackResume(undefined);
    for (let second = 0; second < 1_000; second += 1) resume.note({ ...line(second), openSince: line(4).at });
    expect(resume.point()).toEqual({ at: line(4).at, lines: 996 });
    for (let second = 1_000; second < 1_010; second += 1) resume.note(line(second));
    expect(resume.point()).toEqual({ at: line(1_007).at, lines: 3 });
  });

  test('has a gap where the daemon has rotated away more than was stored', () => {
    const reread = recogniseStored(pointAfter([0, 1, 2, 3, 4]), line(4).at);
    expect([7, 8].map((second) => reread(line(second)))).toEqual(['new_after_gap', 'new']);
  });

  test('has none where it has rotated away only what was stored', () => {
    const reread = recogniseStored(pointAfter([0, 1, 2, 3, 4]), line(4).at);
    expect([3, 4, 5].map((second) => reread(line(second)))).toEqual(['stored', 'stored', 'new']);
  });
});
