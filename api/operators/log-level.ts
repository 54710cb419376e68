/** How grave a log line is, by what it says of itself. A guess, for the eye. Pure. */
import type { LogLine } from '../../sql/log-lines.ts';

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Words are looked for at the beginning only: a file may be called anything. */
const HEAD_CHARS = 200;
const PINO_WARN = 40;
const PINO_ERROR = 50;
const PINO_INFO = 30;

function ofNumber(level: number): LogLevel {
  if (level >= PINO_ERROR) return 'error';
  if (level >= PINO_WARN) return 'warn';
  return level >= PINO_INFO ? 'info' : 'debug';
}

export function levelOf({ l, s }: Pick<LogLine, 'l' | 's'>): LogLevel {
  const head = l.slice(0, HEAD_CHARS);
  const number = /^\{"level":(\d{2})\b/.exec(head)?.[1];
  if (number !== undefined) return ofNumber(Number(number));
  // A job's last words: well or not.
  if (head.startsWith('{"lading":"end"')) return 'error';
  if (head.startsWith('{"lading":')) return 'debug';
  if (/\b(error|fatal|exception|panic|failed|refused)\b/i.test(head)) return 'error';
  if (/\bwarn(ing)?\b/i.test(head)) return 'warn';
  if (/\b(debug|trace)\b/i.test(head)) return 'debug';
  return s === 'e' ? 'warn' : 'info';
}
