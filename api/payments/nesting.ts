/** No transaction is nested at all; this leaves room for what SePay may add one day. */
export const NESTING_MAX = 32;
const STRINGS = /"(?:[^"\\]|\\.)*"/gs;

/** Whether the values of a JSON text are nested deeper: Postgres refuses what is deeper than its stack. */
export function isNestedTooDeep(json: string): boolean {
  let depth = 0;
  for (const character of json.replaceAll(STRINGS, '')) {
    if (character === '[' || character === '{') depth += 1;
    else if (character === ']' || character === '}') depth -= 1;
    if (depth > NESTING_MAX) return true;
  }
  return false;
}
