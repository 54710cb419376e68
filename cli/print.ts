/** How answers look in a terminal. */
import { visible } from '../sql/log-lines.ts';

const CELL_MAX_CHARS = 80;

export function cell(value: unknown): string {
  if (value === null || value === undefined) return '-';
  const text = value instanceof Date ? value.toISOString() : typeof value === 'string' ? value : JSON.stringify(value);
  const shown = visible(text);
  return shown.length > CELL_MAX_CHARS ? `${shown.slice(0, CELL_MAX_CHARS - 1)}…` : shown;
}

/** Rows under their column names. Nothing but a remark when there are none. */
export function table<Row extends object>(rows: readonly Row[], columns: readonly (keyof Row & string)[]): string {
  if (rows.length === 0) return '(none)\n';
  const lines = [
    columns.map((name) => name.replaceAll('_', ' ')),
    ...rows.map((row) => columns.map((c) => cell(row[c]))),
  ];
  const widths = columns.map((_, at) => Math.max(...lines.map((line) => (line[at] ?? '').length)));
  return lines
    .map(
      (line) =>
        `${line
          .map((text, at) => text.padEnd(widths[at] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
}

/** One thing's fields, a line each. */
export function fields(thing: object): string {
  const entries = Object.entries(thing);
  const width = Math.max(0, ...entries.map(([name]) => name.length));
  return entries.map(([name, value]) => `${name.replaceAll('_', ' ').padEnd(width)}  ${cell(value)}\n`).join('');
}

export const json = (value: unknown): string => `${JSON.stringify(value, undefined, 2)}\n`;
