export type Spread = { n: number; min: number; p25: number; p50: number; p75: number; max: number };

/** Between the two nearest values, in proportion. `sorted` ascends and is not empty. */
function quantile(sorted: readonly number[], q: number): number {
  const at = (sorted.length - 1) * q;
  const below = sorted[Math.floor(at)] ?? Number.NaN;
  const above = sorted[Math.ceil(at)] ?? Number.NaN;
  return below + (above - below) * (at - Math.floor(at));
}

/** Digits behind the point that a clock of milliseconds on a busy machine is good for. */
const DIGITS = 3;
export const rounded = (value: number, digits = DIGITS): number => Number(value.toFixed(digits));

/** Throws RangeError when there is nothing to summarise. */
export function spreadOf(values: readonly number[]): Spread {
  if (values.length === 0) throw new RangeError('no values');
  const sorted = values.toSorted((a, b) => a - b);
  const at = (q: number): number => rounded(quantile(sorted, q));
  return { n: sorted.length, min: at(0), p25: at(0.25), p50: at(0.5), p75: at(0.75), max: at(1) };
}
