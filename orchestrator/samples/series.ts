/** What is kept of an attempt's samples: few points, the finer the shorter it runs. Pure. */

/** As many as a plot can show. */
export const POINTS_MAX = 360;

/** One look: seconds since the first one; null where there was no look before it to measure from. */
export type Sample = { atSeconds: number; memoryKib: number; cpuMilli: number | null };

/** A point stands for `stepSeconds` from its `atSeconds` on, with the largest that was seen in them. */
export type Series = { stepSeconds: number; points: readonly Sample[] };

const largest = (a: number | null, b: number | null): number | null =>
  a === null || b === null ? (a ?? b) : Math.max(a, b);

const together = (first: Sample, second: Sample): Sample => ({
  atSeconds: first.atSeconds,
  memoryKib: Math.max(first.memoryKib, second.memoryKib),
  cpuMilli: largest(first.cpuMilli, second.cpuMilli),
});

/** Neighbours become one. */
function halved({ stepSeconds, points }: Series): Series {
  const pairs: Sample[] = [];
  for (const point of points) {
    const last = pairs.at(-1);
    if (last && point.atSeconds < last.atSeconds + 2 * stepSeconds) pairs[pairs.length - 1] = together(last, point);
    else pairs.push(point);
  }
  return { stepSeconds: 2 * stepSeconds, points: pairs };
}

/** The series with one look more, which is not before the last. */
export function addSample(series: Series, sample: Sample): Series {
  const last = series.points.at(-1);
  if (last && sample.atSeconds < last.atSeconds + series.stepSeconds)
    return { ...series, points: [...series.points.slice(0, -1), together(last, sample)] };
  if (series.points.length < POINTS_MAX) return { ...series, points: [...series.points, sample] };
  return addSample(halved(series), sample);
}
