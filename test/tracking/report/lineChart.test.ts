import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type LineChart, lineChartSvg } from '#src/tracking';

/** The curves' points in pixels, line by line. */
function drawnLines(chart: LineChart): [number, number][][] {
  const { markup } = lineChartSvg(chart);
  return [...markup.matchAll(/<g class="series"[^>]*>(?:<path d="([^"]*)")?/g)].flatMap(([, path = '']) =>
    path
      .split('M')
      .filter((line) => line !== '')
      .map((line) => line.split('L').map((point) => point.split(' ').map(Number) as [number, number])),
  );
}

/** The heights of the grid lines, from the lowest tick up, and where they begin and end. */
function grid(chart: LineChart): { left: number; right: number; heights: number[] } {
  const lines = [...lineChartSvg(chart).markup.matchAll(/<path d="M([\d.]+) ([\d.]+)H([\d.]+)"\/>/g)];
  const [, left, , right] = lines[0].map(Number);
  return { left, right, heights: lines.map((line) => Number(line[2])) };
}

const one = (points: [number, number][], more: Partial<LineChart> = {}): LineChart => ({
  series: [{ name: 'loss', points }],
  yLabel: 'loss (nats)',
  ...more,
});

describe('lineChartSvg', () => {
  it('puts equal ratios at equal distances on a logarithmic x axis', () => {
    const [[[first], [second], [third]]] = drawnLines(
      one(
        [
          [10, 1],
          [100, 2],
          [1000, 3],
        ],
        { logX: true },
      ),
    );
    expect(second).toBeGreaterThan(first);
    expect(Math.abs(third - second - (second - first))).toBeLessThan(0.3);
  });

  it('draws a bar from the lowest to the highest, which the axis covers, and a dot at the point', () => {
    const chart = one([[1, 5]], {});
    const ranges = [[2, 8]] as const;
    const withRange = { ...chart, series: chart.series.map((series) => ({ ...series, ranges })) };
    const { heights } = grid(withRange);
    const [, low, high] = /<path d="M[\d.]+ ([\d.]+)V([\d.]+)"/.exec(lineChartSvg(withRange).markup) ?? [];
    const [bottom, top] = [heights[0], heights[heights.length - 1]];
    expect(Number(low)).toBeLessThanOrEqual(bottom);
    expect(Number(high)).toBeGreaterThanOrEqual(top);
    expect(Number(high)).toBeLessThan(Number(low));
  });

  it('draws points where the axes say they are', () => {
    const chart = one([
      [0, 0],
      [25, 10],
      [100, 5],
    ]);
    const { left, right, heights } = grid(chart);
    const [[first, second, third]] = drawnLines(chart);
    expect(first).toEqual([left, heights[0]]);
    expect(second[0]).toBeCloseTo(left + (right - left) / 4, 0);
    expect(second[1]).toBe(heights[heights.length - 1]);
    expect(third[0]).toBe(right);
    expect(third[1]).toBeCloseTo((heights[0] + heights[heights.length - 1]) / 2, 0);
  });

  it('puts equal ratios at equal distances on a log scale', () => {
    const chart = one(
      [
        [1, 1],
        [2, 10],
        [3, 100],
      ],
      { logY: true },
    );
    const [[a, b, c]] = drawnLines(chart);
    expect(a[1] - b[1]).toBeCloseTo(b[1] - c[1], 0);
    expect(a[1] - b[1]).toBeGreaterThan(50);
  });

  it('breaks the line at values that cannot be drawn', () => {
    const points: [number, number][] = [
      [1, 3],
      [2, 2],
      [3, Number.NaN],
      [4, -1],
      [5, 1],
      [6, 1],
    ];
    expect(drawnLines(one(points)).map((line) => line.length)).toEqual([2, 3]);
    expect(drawnLines(one(points, { logY: true })).map((line) => line.length)).toEqual([2, 2]);
  });

  it('thins long curves, and keeps their spikes and ends', () => {
    const points = Array.from({ length: 50_000 }, (_, i): [number, number] => [i, i === 31_234 ? 9 : Math.sin(i) / 10]);
    const chart = one(points);
    const [line] = drawnLines(chart);
    const { left, right, heights } = grid(chart);
    expect(line.length).toBeLessThan(400);
    expect([line[0][0], line[line.length - 1][0]]).toEqual([left, right]);
    const highest = Math.min(...line.map(([, y]) => y));
    expect(highest).toBeLessThan(heights[heights.length - 1] + (heights[0] - heights[heights.length - 1]) * 0.2);
    expect(lineChartSvg(chart).markup.length).toBeLessThan(20_000);
  });

  it('names its axes, curves, last values and single values', () => {
    const { markup } = lineChartSvg(
      one([
        [1000, 2],
        [2000, 0.51234],
      ]),
    );
    for (const text of ['loss (nats)</text>', '>step</text>', '0.5123</tspan>', 'loss at step 1,000: 2</title>']) {
      expect(markup).toContain(text);
    }
  });

  it('escapes names', () => {
    const { markup } = lineChartSvg({ series: [{ name: '<b>"&', points: [[1, 1]] }], yLabel: '<i>' });
    expect(markup).not.toMatch(/<b>|<i>/);
    expect(markup).toContain('&lt;b&gt;&quot;&amp;');
  });

  it('draws single points as dots and says when there are none', () => {
    expect(lineChartSvg(one([[5, 1]])).markup).toContain('r="3"');
    expect(lineChartSvg(one([])).markup).toContain('no values');
    expect(lineChartSvg(one([[1, Number.NaN]], { logY: true })).markup).toContain('no values');
  });

  it('gives steps whole ticks', () => {
    const { markup } = lineChartSvg(
      one([
        [1, 1],
        [3, 2],
      ]),
    );
    const labels = [...markup.matchAll(/text-anchor="middle">([^<]*)</g)].map(([, label]) => label);
    expect(labels).toEqual(['1', '2', '3']);
  });

  it('keeps every point inside the drawing, whatever the values', () => {
    const value = fc.oneof(fc.double(), fc.double({ min: -1e6, max: 1e6 }), fc.double({ min: -1e-6, max: 1e-6 }));
    fc.assert(
      fc.property(fc.array(value, { maxLength: 60 }), fc.boolean(), (values, logY) => {
        const chart = one(
          values.map((each, step) => [step, each]),
          { logY },
        );
        expect(lineChartSvg(chart).markup).not.toMatch(/NaN|Infinity|undefined/);
        for (const [x, y] of drawnLines(chart).flat()) {
          expect(x).toBeGreaterThanOrEqual(0);
          expect(x).toBeLessThanOrEqual(400);
          expect(y).toBeGreaterThanOrEqual(0);
          expect(y).toBeLessThanOrEqual(270);
        }
      }),
    );
  });
});
