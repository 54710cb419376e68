import { expect, test } from '@jest/globals';
import { addSample, POINTS_MAX, type Sample, type Series } from './series.ts';

const EMPTY: Series = { stepSeconds: 10, points: [] };
const look = (atSeconds: number, memoryKib = 100, cpuMilli: number | null = 50): Sample => ({
  atSeconds,
  memoryKib,
  cpuMilli,
});
const fill = (count: number, everySeconds = 10): Series =>
  Array.from({ length: count }, (_, i) => look(i * everySeconds, i, i)).reduce(addSample, EMPTY);

test('each look becomes a point, while there are few', () => {
  expect(fill(3).points).toEqual([look(0, 0, 0), look(10, 1, 1), look(20, 2, 2)]);
});

test('what is seen within a step belongs to its point, and the largest stays', () => {
  const series = [look(0, 5, null), look(3, 9, 20), look(9, 7, 10), look(10, 1, 1)].reduce(addSample, EMPTY);
  expect(series.points).toEqual([look(0, 9, 20), look(10, 1, 1)]);
});

test('at the limit neighbours are drawn together, and no peak is lost', () => {
  const full = fill(POINTS_MAX);
  expect(full).toMatchObject({ stepSeconds: 10, points: { length: POINTS_MAX } });
  const beyond = addSample(full, look(POINTS_MAX * 10, 1, 1));
  expect(beyond).toMatchObject({ stepSeconds: 20, points: { length: POINTS_MAX / 2 + 1 } });
  expect(beyond.points.slice(0, 2)).toEqual([look(0, 1, 1), look(20, 3, 3)]);
  expect(Math.max(...beyond.points.map(({ memoryKib }) => memoryKib))).toBe(POINTS_MAX - 1);
});

test('a day of looks stays within the limit, in order, with its peaks', () => {
  const series = fill(8_640);
  expect(series.points.length).toBeLessThanOrEqual(POINTS_MAX);
  expect(series.stepSeconds).toBe(320);
  const times = series.points.map(({ atSeconds }) => atSeconds);
  expect(times).toEqual(times.toSorted((a, b) => a - b));
  expect(series.points.at(-1)?.memoryKib).toBe(8_639);
});

test('looks that are far apart are halved only where they meet', () => {
  const series = addSample(fill(POINTS_MAX, 1_000), look(POINTS_MAX * 1_000));
  expect(series.points.length).toBeLessThanOrEqual(POINTS_MAX);
  expect(series.stepSeconds).toBeGreaterThan(1_000);
});
