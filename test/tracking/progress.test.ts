import { Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import type { Output } from '#src/cli';
import { createProgress, type ProgressOptions } from '#src/tracking';

/** An output that keeps its lines, a clock that is moved by hand, and a terminal that keeps what is drawn. */
function stage(interactive: boolean, columns = 80) {
  const lines: string[] = [];
  const drawn: string[] = [];
  const clock = { ms: 0 };
  const output: Output = { interactive, line: (text = '') => lines.push(text) };
  const terminal = new Writable({
    write: (chunk, _encoding, callback) => {
      drawn.push(String(chunk));
      callback();
    },
  });
  const stream = Object.assign(terminal, { isTTY: interactive, columns }) as unknown as NodeJS.WriteStream;
  const options: ProgressOptions = {
    total: 200,
    start: 0,
    label: 'vision',
    unit: 'images',
    output,
    stream,
    now: () => clock.ms,
  };
  const bars = (): string[] => drawn.filter((text) => text.startsWith(options.label));
  return { lines, drawn, bars, clock, options };
}

describe('createProgress on a terminal', () => {
  it('draws label, bar, steps, loss, rate and remaining time', () => {
    const { bars, lines, clock, options } = stage(true);
    const progress = createProgress(options);
    clock.ms = 50_000;
    progress.update(50, { loss: 1.23456, unitsPerSecond: 12_345 });
    progress.done();
    expect(bars().at(-1)).toBe('vision [======-----------------]  50/200 loss  1.235 12.3k images/s ETA    2:30');
    expect(lines).toEqual([]);
  });

  it.each([20, 40, 80, 300])('fits %i columns, and never takes more than 80', (columns) => {
    const { bars, options } = stage(true, columns);
    const progress = createProgress({ ...options, label: 'vision backbone of seed 7', total: 123_456_789 });
    progress.update(120_000_000, { loss: 1e-7, unitsPerSecond: 1.5e6, accuracy: 0.5, gradientNorm: 12.5, more: 1 });
    progress.done();
    expect(bars().length).toBeGreaterThan(0);
    expect(bars().every((text) => text.length < Math.min(81, columns))).toBe(true);
  });

  it('shows further figures only where the bar keeps its room', () => {
    const { bars, options } = stage(true);
    const progress = createProgress({ ...options, total: 8 });
    progress.update(4, { loss: 2, unitsPerSecond: 10, accuracy: 0.5, aFigureWithAVeryLongName: 3 });
    progress.done();
    expect(bars().at(-1)).toContain('accuracy 0.5000');
    expect(bars().at(-1)).not.toContain('aFigureWith');
  });

  it('keeps its width whatever the figures are', () => {
    const { bars, clock, options } = stage(true);
    const progress = createProgress({ ...options, total: 10_000 });
    const losses = [12.5, 1, 0.99999, 0.01234, 123.45, 0.001, 1234.5, 9.9999, 2e-5, 54321, 0];
    const rates = [12, 999, 999.96, 1000, 12_345, 0.5, 3.1234, 1e6, 123_456, 0.01, 99.99];
    for (const [i, loss] of losses.entries()) {
      clock.ms += 10 ** i;
      // A rate that lasted long is not smoothed away.
      progress.update(7 ** Math.min(i, 4), { loss, unitsPerSecond: rates[i], accuracy: loss / 7 });
      progress.line('a line, after which the bar is drawn again');
    }
    progress.done();
    const widths = new Set(bars().map((text) => text.indexOf(']') - text.indexOf('[')));
    expect(bars().length).toBeGreaterThan(losses.length);
    expect([...widths]).toHaveLength(1);
    expect(new Set(bars().map((text) => text.length)).size).toBe(1);
  });

  it('draws nothing before the first figures, which would change its width', () => {
    const { drawn, options } = stage(true);
    createProgress(options).done();
    expect(drawn).toEqual([]);
  });

  it('prints lines above the bar, and draws it again', () => {
    const { drawn, lines, options } = stage(true);
    const progress = createProgress(options);
    progress.update(1, { loss: 1 });
    drawn.length = 0;
    progress.line('vision step 1: validation loss 2.000');
    expect(lines).toEqual(['vision step 1: validation loss 2.000']);
    expect(drawn[0]).toBe('\r\x1b[K');
    expect(drawn.some((text) => text.startsWith('vision ['))).toBe(true);
    progress.done();
  });

  it('may be ended twice', () => {
    const { drawn, options } = stage(true);
    const progress = createProgress(options);
    progress.update(1, {});
    progress.done();
    const count = drawn.length;
    progress.done();
    expect(drawn).toHaveLength(count);
  });
});

describe('createProgress elsewhere', () => {
  it('prints the first update, one every ten seconds, and the last', () => {
    const { lines, drawn, clock, options } = stage(false);
    const progress = createProgress(options);
    for (let step = 1; step <= 25; step++) {
      clock.ms = step * 1000;
      progress.update(step, { loss: 1, unitsPerSecond: 100 });
    }
    progress.done();
    progress.done();
    expect(lines.map((line) => line.split(' ')[1])).toEqual(['1/200', '11/200', '21/200', '25/200']);
    expect(lines[1]).toBe('vision 11/200 5% loss 1.000 100 images/s ETA 3:09');
    expect(drawn).toEqual([]);
  });

  it('shows the rate of some seconds, not of one step', () => {
    const { lines, clock, options } = stage(false);
    const progress = createProgress(options);
    for (let step = 1; step <= 31; step++) {
      clock.ms = step * 1000;
      progress.update(step, { unitsPerSecond: step % 2 === 0 ? 150 : 50 });
    }
    const rates = lines.slice(1).map((line) => Number(/ ([\d.]+) images\/s/.exec(line)?.[1]));
    expect(rates).toHaveLength(3);
    for (const rate of rates) expect(Math.abs(rate - 100)).toBeLessThan(20);
    // A lasting change shows within seconds.
    for (let step = 32; step <= 71; step++) {
      clock.ms = step * 1000;
      progress.update(step, { unitsPerSecond: 1000 });
    }
    expect(lines.at(-1)).toContain(' 1k images/s');
  });

  it('prints plain lines when stderr is no terminal, even if stdout is', () => {
    const { lines, options } = stage(true);
    const stream = Object.assign(options.stream as NodeJS.WriteStream, { isTTY: false });
    const progress = createProgress({ ...options, stream: stream as NodeJS.WriteStream });
    progress.update(1, { loss: 1 });
    progress.done();
    expect(lines).toHaveLength(1);
  });

  it('reckons the remaining time of a resumed run from its own steps', () => {
    const { lines, clock, options } = stage(false);
    const progress = createProgress({ ...options, start: 100 });
    clock.ms = 36_000;
    progress.update(101, { loss: 0.00012 });
    progress.done();
    expect(lines).toEqual(['vision 101/200 50% loss 1.2e-4 ETA 59:24']);
  });

  it('shows hours, and no time before the first step', () => {
    const { lines, clock, options } = stage(false);
    const progress = createProgress(options);
    progress.update(0, {});
    clock.ms = 100_000;
    progress.update(1, {});
    progress.done();
    expect(lines).toEqual(['vision 0/200 0% ETA -', 'vision 1/200 0% ETA 5:31:40']);
  });

  it('prints nothing when nothing was done', () => {
    const { lines, options } = stage(false);
    createProgress(options).done();
    expect(lines).toEqual([]);
  });
});
