/** Postgres text holds neither NUL nor half of a surrogate pair; nothing is to be lost over either. */
export const storableText = (text: string): string => text.replaceAll('\0', '\uFFFD').toWellFormed();
