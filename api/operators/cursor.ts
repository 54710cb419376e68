import { Problem } from '../problem.ts';

/** Where a page ends, as a caller gets it: opaque, and of no meaning to him. */
export const cursorOf = (at: Date, id: string): string =>
  Buffer.from(`${at.toISOString()} ${id}`).toString('base64url');

/** Throws `cursor_invalid` for what cursorOf did not make; `isId` says what an id looks like. */
export function openCursor(cursor: string | undefined, isId: RegExp): { at: Date; id: string } | undefined {
  if (cursor === undefined) return undefined;
  const [iso = '', id = '', ...more] = Buffer.from(cursor, 'base64url').toString('utf8').split(' ');
  const at = new Date(iso);
  if (more.length > 0 || !isId.test(id) || Number.isNaN(at.getTime()) || at.toISOString() !== iso)
    throw new Problem('cursor_invalid');
  return { at, id };
}
