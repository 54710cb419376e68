import { Problem } from '../problem.ts';

/** Where a page ends: a moment in microseconds since 1970, as fine as Postgres has it, and the id that stood last. */
export type Place = { micros: number; id: string };

/** As a caller gets it: opaque, and of no meaning to him. */
export const cursorOf = (micros: number, id: string): string => Buffer.from(`${micros} ${id}`).toString('base64url');

/** Throws `cursor_invalid` for what cursorOf did not make; `isId` says what an id looks like. */
export function openCursor(cursor: string | undefined, isId: RegExp): Place | undefined {
  if (cursor === undefined) return undefined;
  const [, digits, id = ''] = /^(\d{1,16}) (.*)$/.exec(Buffer.from(cursor, 'base64url').toString('utf8')) ?? [];
  const micros = Number(digits);
  if (digits === undefined || !Number.isSafeInteger(micros) || !isId.test(id)) throw new Problem('cursor_invalid');
  return { micros, id };
}
