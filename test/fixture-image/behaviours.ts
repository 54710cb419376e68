/** One behaviour a course: `exit-3` exits with 3, `many-lines-1000` prints 1000 lines, and so on. */
import { spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { secretsOf, type Envelope } from '../../job-image/contract/envelope.ts';
import { AROUND_SPLIT_BYTES, lineOf, lineOfBytes } from './lines.ts';
import { print, say } from './print.ts';
import { printSecretsInPieces } from './secrets-in-pieces.ts';

const EXIT_BUG = 70;
const BLOCK_BYTES = 64 * 1024;
const EAT_PIECE_BYTES = 8 * 1024 * 1024;
const HALF_DAY_MS = 12 * 60 * 60 * 1_000;
const LONG_LINE_BYTES = 100_000_000;
const ONE_BYTE_LINES = 500_000_000;
const QUIET_LINES = 80;
const QUIET_PAUSE_MS = 100;
const POURED_BYTES = 250_000_000;
const PACE_LINES = 2_000;
const PACE_MS = 20;

/** `main.ts` imports this file; a child that only eats is started on it with this argument. */
const EAT = `const kept = []; for (;;) kept.push(Buffer.alloc(${EAT_PIECE_BYTES}, 1));`;

function eatMemory(): never {
  const kept: Buffer[] = [];
  for (;;) kept.push(Buffer.alloc(EAT_PIECE_BYTES, 1));
}

/** Full on the heap, V8 aborts before the kernel has a reason to. */
function eatHeap(): never {
  const kept: number[][] = [];
  for (;;) kept.push(Array.from({ length: 1_000 }, (_, i) => i + Math.random()));
}

/** A child that the kernel kills for its memory. */
async function forkEater(): Promise<void> {
  const child = spawn(process.execPath, ['--eval', EAT], { stdio: 'ignore' });
  await new Promise((resolve) => child.once('close', resolve));
  // The engine hears of it a moment later.
  await sleep(200);
}

function closeOutput(): void {
  closeSync(1);
  closeSync(2);
}

async function manyLines(count: number, paced: boolean): Promise<void> {
  let held: Record<'stdout' | 'stderr', string[]> = { stdout: [], stderr: [] };
  const flush = (): void => {
    for (const stream of ['stdout', 'stderr'] as const)
      if (held[stream].length > 0) print(`${held[stream].join('\n')}\n`, stream);
    held = { stdout: [], stderr: [] };
  };
  for (let i = 0; i < count; i += 1) {
    const { stream, text } = lineOf(i);
    held[stream].push(text);
    if (i % PACE_LINES === PACE_LINES - 1) {
      flush();
      if (paced) await sleep(PACE_MS);
    }
  }
  flush();
}

function pour(block: Buffer, bytes: number, stream: 'stdout' | 'stderr' = 'stdout'): void {
  for (let poured = 0; poured < bytes; poured += block.length)
    print(block.subarray(0, Math.min(block.length, bytes - poured)), stream);
}

const block = (text: string): Buffer => Buffer.from(text.repeat(Math.ceil(BLOCK_BYTES / text.length)));

const untilKilled = (): Promise<void> => sleep(HALF_DAY_MS);

/** Answers the exit code. `argument` is what follows the behaviour's name in the course's. */
type Behaviour = (envelope: Envelope, argument: string) => number | Promise<number>;

const done = (work: void | Promise<void>): Promise<number> => Promise.resolve(work).then(() => 0);

const BEHAVIOURS: Record<string, Behaviour> = {
  exit: (_, code) => Number(code),
  end: (_, code) => {
    const reason = code === '77' ? 'provider_denied' : 'protected_content';
    say({ lading: 'end', reason, detail: 'as asked' });
    return Number(code);
  },
  // Ends on SIGTERM as a program without a handler does.
  sleep: () => done(untilKilled()),
  'sleep-ms': async (_, ms) => done(sleep(Number(ms)).then(() => undefined)),
  'ignore-term': () => {
    process.on('SIGTERM', () => print('no\n'));
    return done(untilKilled());
  },
  'eat-memory': eatMemory,
  'eat-heap': eatHeap,
  'fork-eat-memory': () => done(forkEater()),
  'fork-eat-memory-exit': (_, code) => forkEater().then(() => Number(code)),
  'many-lines': (_, count) => done(manyLines(Number(count), false)),
  'many-lines-paced': (_, count) => done(manyLines(Number(count), true)),
  'long-line': () => {
    pour(block('abcdefghijklmnopqrstuvwxyz '), LONG_LINE_BYTES);
    return 0;
  },
  'one-byte-lines': () => done(pour(block('x\n'), 2 * ONE_BYTE_LINES)),
  'endless-stderr': () =>
    done(pour(block('this never ends and nobody reads it\n'), Number.POSITIVE_INFINITY, 'stderr')),
  // Ten lines a second for a while, and then more than the daemon keeps.
  'pause-and-pour': async () => {
    for (let i = 0; i < QUIET_LINES; i += 1) {
      print(`before ${i}\n`);
      await sleep(QUIET_PAUSE_MS);
    }
    const line = `${'poured '.repeat(1_000)}\n`;
    for (let poured = 0; poured < POURED_BYTES; poured += line.length) print(line);
    say({ lading: 'end', reason: 'bug', detail: 'after all' });
    return EXIT_BUG;
  },
  'close-stdout': async () => {
    print('before\n');
    closeOutput();
    await sleep(3_000);
    return 0;
  },
  'no-newline': () => done(print('a last line\nwithout its newline')),
  'secret-in-pieces': async (envelope, ms) => {
    printSecretsInPieces(secretsOf(envelope));
    await sleep(Number(ms));
    say({ lading: 'end', reason: 'bug', detail: `it said ${secretsOf(envelope).join(' and ')}` });
    return EXIT_BUG;
  },
  'sixteen-kib': () => {
    for (const bytes of AROUND_SPLIT_BYTES) print(`${lineOfBytes(bytes)}\n`);
    return 0;
  },
  'retry-after': (_, seconds) => {
    say({
      lading: 'end',
      reason: 'provider_unavailable',
      detail: 'asked for patience',
      retryAfterSeconds: Number(seconds),
    });
    return 69;
  },
  'kill-self': () => {
    process.kill(process.pid, 'SIGKILL');
    return done(untilKilled());
  },
  // Told to stop it ends well, but without a manifest.
  'exit-0-on-term': async () => {
    const told = new Promise((resolve) => process.once('SIGTERM', resolve));
    await Promise.race([told, untilKilled()]);
    return 0;
  },
};

export async function behave(envelope: Envelope): Promise<number> {
  const course = envelope.course.id;
  const [, name = course, argument = ''] = /^(.*?)(?:-(\d+))?$/.exec(course) ?? [];
  const behaviour = BEHAVIOURS[name];
  if (!behaviour) {
    print(`no behaviour ${name}\n`, 'stderr');
    return EXIT_BUG;
  }
  return behaviour(envelope, argument);
}
