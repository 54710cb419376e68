/** Draws what pages carry in data-plot with uPlot, in the colours of the page, light or dark. */
import { bytesText } from './figures.ts';
import uPlot from './uPlot.esm.js';

type Plot = {
  kind: 'bars' | 'lines';
  x: number[];
  clock: 'day' | 'passed';
  unit: 'count' | 'bytes' | 'cpus';
  limit?: number | null;
  series: { label: string; colour: string; values: (number | null)[] }[];
};

const HEIGHT_PX = 170;
const BAR_SHARE = 0.7;
const FONT = '12px system-ui, sans-serif';
const TIME_ZONE = 'Asia/Ho_Chi_Minh';
const MINUTE_SECONDS = 60;
const HOUR_SECONDS = 3_600;
const ABOVE = 1.05;
const tongue = document.documentElement.lang === 'en' ? 'en' : 'vi';

const VARIABLES: Readonly<Record<string, string>> = {
  good: '--good',
  bad: '--bad',
  warn: '--warn',
  accent: '--accent',
  soft: '--ink-soft',
};
const colour = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

const shown: Readonly<Record<Plot['unit'], (value: number) => string>> = {
  count: (value) => (Number.isInteger(value) ? String(value) : ''),
  bytes: (value) => bytesText(tongue, value),
  cpus: (value) => value.toFixed(value < 1 ? 2 : 1),
};

const hour = new Intl.DateTimeFormat(tongue === 'vi' ? 'vi-VN' : 'en-GB', {
  timeZone: TIME_ZONE,
  hour: '2-digit',
  minute: '2-digit',
});
const passed = (seconds: number): string =>
  seconds < MINUTE_SECONDS ? `${seconds} s` : `${Math.round(seconds / MINUTE_SECONDS)} min`;

function draw(place: HTMLElement): void {
  const { kind, x, clock, unit, limit, series } = JSON.parse(place.dataset['plot'] ?? '{}') as Plot;
  const line = colour('--line');
  const soft = colour('--ink-soft');
  const bars = uPlot.paths.bars?.({ size: [BAR_SHARE, 40] });
  // What is stacked would be read wrongly; bars of several series stand behind one another.
  const drawn = series.map(({ label, colour: name, values }) => {
    const stroke = colour(VARIABLES[name] ?? '--accent');
    return {
      label,
      stroke,
      width: 2,
      fill: kind === 'bars' ? stroke : `${stroke}22`,
      points: { show: values.length < 3 },
      ...(kind === 'bars' && bars && { paths: bars, width: 0 }),
    };
  });
  const withLimit = typeof limit === 'number';
  const top = Math.max(1e-9, limit ?? 0, ...series.flatMap(({ values }) => values.map((value) => value ?? 0)));
  const axis = { stroke: soft, font: FONT, grid: { stroke: line, width: 1 }, ticks: { show: false } };
  place.replaceChildren();
  const drawing = new uPlot(
    {
      width: Math.max(place.clientWidth, 200),
      height: HEIGHT_PX,
      legend: { show: false },
      cursor: { show: false },
      scales: {
        x: {
          time: false,
          ...(kind === 'bars' && { range: (_, min, max) => [min - HOUR_SECONDS / 2, max + HOUR_SECONDS / 2] }),
        },
        y: { range: () => [0, unit === 'count' ? Math.max(top, 4) : top * ABOVE] },
      },
      series: [
        {},
        ...drawn,
        ...(withLimit ? [{ label: 'limit', stroke: soft, width: 1, dash: [6, 4], points: { show: false } }] : []),
      ],
      axes: [
        {
          ...axis,
          size: 30,
          grid: { show: false },
          space: 60,
          values: (_, ticks) =>
            ticks.map((tick) => (clock === 'day' ? hour.format(new Date(tick * 1_000)) : passed(tick))),
          // Whole hours, for hours.
          ...(clock === 'day' && { incrs: [1, 2, 3, 4, 6, 12].map((hours) => hours * HOUR_SECONDS) }),
        },
        { ...axis, size: 64, values: (_, ticks) => ticks.map(shown[unit]) },
      ],
    },
    [x, ...series.map(({ values }) => values), ...(withLimit ? [x.map(() => limit)] : [])],
  );
  place.append(drawing.root);
}

const places = [...document.querySelectorAll<HTMLElement>('[data-plot]')];
const drawAll = (): void => places.forEach(draw);
drawAll();
window.matchMedia('(prefers-color-scheme: dark)').addEventListener('change', drawAll);
let resized: number | undefined;
window.addEventListener('resize', () => {
  window.clearTimeout(resized);
  resized = window.setTimeout(drawAll, 150);
});
