import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { type Event, readEvents } from 'tensorboard-writer';
import { describe, expect, it } from 'vitest';
import { UserError } from '#src/errors';
import { createTracker, listEventFiles, readMetrics, type Tracker } from '#src/tracking';

const newRun = (): string => join(mkdtempSync(join(tmpdir(), 'tracker-')), 'run');
const metricsPath = (runDir: string): string => join(runDir, 'metrics.jsonl');
const metricsText = (runDir: string): string => readFileSync(metricsPath(runDir), 'utf8');

/** Steps, tags and values of all scalar events, in order. */
function scalars(runDir: string): { step: number; values: Record<string, number> }[] {
  const events = listEventFiles(join(runDir, 'events')).flatMap((path): Event[] => readEvents(path));
  return events.flatMap(({ step, values }) => {
    const entries = values.flatMap((value) => (value.kind === 'scalar' ? [[value.tag, value.value] as const] : []));
    return entries.length === 0 ? [] : [{ step, values: Object.fromEntries(entries) }];
  });
}

function logSteps(tracker: Tracker, from: number, to: number): void {
  for (let step = from; step <= to; step++) {
    tracker.log(step, { 'train/loss': 3 / step, 'train/learningRate': 1e-3 * step });
    if (step % 3 === 0) tracker.log(step, { 'eval/loss': 3.1 / step });
    tracker.timing(step, { secondsPerStep: 0.1 });
  }
}

describe('createTracker', () => {
  it('writes one line and one event per call, with float32 numbers in both', () => {
    const runDir = newRun();
    const tracker = createTracker({ runDir });
    tracker.log(1, { 'train/loss': 1.2, 'train/accuracy': 0.5 });
    tracker.close();
    expect(metricsText(runDir)).toBe('{"step":1,"train/loss":1.2000000476837158,"train/accuracy":0.5}\n');
    expect(scalars(runDir)).toEqual([{ step: 1, values: { 'train/loss': Math.fround(1.2), 'train/accuracy': 0.5 } }]);
  });

  it('reads back the same tags, steps and values from metrics.jsonl and the event file', () => {
    const tags = fc.dictionary(
      fc.string({ minLength: 1 }).filter((tag) => tag !== 'step' && tag !== '__proto__'),
      fc.double(),
      { minKeys: 1 },
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(), tags), { maxLength: 6 }), (rows) => {
        const runDir = newRun();
        const tracker = createTracker({ runDir });
        for (const [step, values] of rows) tracker.log(step, values);
        tracker.close();
        const metrics = readMetrics(runDir);
        expect(metrics).toHaveLength(rows.length);
        expect(scalars(runDir)).toEqual(metrics);
        metrics.forEach(({ step, values }, i) => {
          expect(step).toBe(rows[i][0]);
          for (const [tag, value] of Object.entries(rows[i][1])) expect(values[tag]).toBe(Math.fround(value) + 0);
        });
      }),
      { numRuns: 40 },
    );
  });

  it('keeps what differs from run to run out of metrics.jsonl', () => {
    const runDir = newRun();
    const tracker = createTracker({ runDir });
    tracker.log(1, { loss: 2 });
    tracker.timing(1, { tokensPerSecond: 1234.5678 });
    tracker.close();
    expect(metricsText(runDir)).toBe('{"step":1,"loss":2}\n');
    expect(readFileSync(join(runDir, 'timing.jsonl'), 'utf8')).toBe('{"step":1,"tokensPerSecond":1234.5678}\n');
    expect(scalars(runDir)).toEqual([{ step: 1, values: { loss: 2 } }]);
  });

  it('ends with the same bytes after a kill at any byte and a resume as without', () => {
    const unbroken = newRun();
    const whole = createTracker({ runDir: unbroken });
    logSteps(whole, 1, 8);
    whole.close();

    const checkpoint = 4;
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1, noNaN: true }), fc.double({ min: 0, max: 1, noNaN: true }), (a, b) => {
        const runDir = newRun();
        const first = createTracker({ runDir });
        logSteps(first, 1, checkpoint);
        const [eventFile] = listEventFiles(join(runDir, 'events'));
        const saved = [metricsPath(runDir), eventFile].map((path) => readFileSync(path).length);
        logSteps(first, checkpoint + 1, 7);
        first.close();
        [metricsPath(runDir), eventFile].forEach((path, i) => {
          const size = readFileSync(path).length;
          truncateSync(path, Math.round(saved[i] + [a, b][i] * (size - saved[i])));
        });
        const second = createTracker({ runDir, resumeStep: checkpoint });
        logSteps(second, checkpoint + 1, 8);
        second.close();
        expect(metricsText(runDir)).toBe(metricsText(unbroken));
        expect(scalars(runDir)).toEqual(readMetrics(unbroken));
      }),
      { numRuns: 30 },
    );
  });

  it('truncates timings with the metrics', () => {
    const runDir = newRun();
    const first = createTracker({ runDir });
    logSteps(first, 1, 5);
    first.close();
    createTracker({ runDir, resumeStep: 2 }).close();
    expect(readFileSync(join(runDir, 'timing.jsonl'), 'utf8').trim().split('\n')).toHaveLength(2);
  });

  it('goes on in the one event file', () => {
    const runDir = newRun();
    const first = createTracker({ runDir });
    logSteps(first, 1, 2);
    first.close();
    const second = createTracker({ runDir, resumeStep: 2 });
    logSteps(second, 3, 4);
    second.close();
    expect(readdirSync(join(runDir, 'events'))).toHaveLength(1);
  });

  it('drops everything logged when resumed before the first checkpoint', () => {
    const runDir = newRun();
    const first = createTracker({ runDir });
    first.log(0, { loss: 1 });
    first.close();
    createTracker({ runDir, resumeStep: -1 }).close();
    expect(metricsText(runDir)).toBe('');
    expect(readEvents(listEventFiles(join(runDir, 'events'))[0]).flatMap(({ values }) => values)).toEqual([]);
  });

  it('refuses to begin a run where there is one, and leaves it alone', () => {
    const runDir = newRun();
    const tracker = createTracker({ runDir });
    tracker.log(1, { loss: 1 });
    tracker.close();
    expect(() => createTracker({ runDir })).toThrow(UserError);
    expect(() => createTracker({ runDir })).toThrow('resume it or choose another folder');
    expect(readMetrics(runDir)).toEqual([{ step: 1, values: { loss: 1 } }]);
    expect(readdirSync(join(runDir, 'events'))).toHaveLength(1);
  });

  it('reports damaged records with file and place', () => {
    const runDir = newRun();
    const tracker = createTracker({ runDir });
    tracker.log(1, { loss: 1 });
    tracker.close();
    const [eventFile] = listEventFiles(join(runDir, 'events'));
    const bytes = readFileSync(eventFile);
    bytes[13] ^= 1;
    writeFileSync(eventFile, bytes);
    expect(() => createTracker({ runDir, resumeStep: 1 })).toThrow(UserError);
    expect(() => createTracker({ runDir, resumeStep: 1 })).toThrow(/tfevents.*damaged at byte 0.*move the file away/);
    appendFileSync(metricsPath(runDir), 'oops\n{"step":2,"loss":1}\n');
    expect(() => createTracker({ runDir, resumeStep: 1 })).toThrow(/metrics\.jsonl:2: expected .* got "oops"/);
  });

  it('refuses tags and steps that would not read back', () => {
    const runDir = newRun();
    const tracker = createTracker({ runDir });
    expect(() => tracker.log(1, { step: 1 })).toThrow("a name other than 'step'");
    expect(() => tracker.log(-1, { loss: 1 })).toThrow('an integer >= 0, got -1');
    expect(() => tracker.log(1.5, { loss: 1 })).toThrow('got 1.5');
    tracker.close();
    expect(metricsText(runDir)).toBe('');
    expect(scalars(runDir)).toEqual([]);
  });

  it('says in one line what the disk refuses', () => {
    const file = join(mkdtempSync(join(tmpdir(), 'tracker-')), 'file');
    writeFileSync(file, '');
    expect(() => createTracker({ runDir: join(file, 'run') })).toThrow(UserError);
    expect(() => createTracker({ runDir: join(file, 'run') })).toThrow(/^cannot make folder .* is not a folder/);
  });
});

describe('readMetrics', () => {
  it('leaves out a last line cut short, and keeps one that lacks only its line feed', () => {
    const runDir = newRun();
    mkdirSync(runDir);
    writeFileSync(metricsPath(runDir), '{"step":1,"loss":"NaN"}\n{"step":2,"loss":1');
    expect(readMetrics(runDir)).toEqual([{ step: 1, values: { loss: Number.NaN } }]);
    appendFileSync(metricsPath(runDir), '}');
    expect(readMetrics(runDir)).toHaveLength(2);
  });

  it('names a missing file', () => {
    expect(() => readMetrics(newRun())).toThrow(/cannot read metrics .*metrics\.jsonl: no such file/);
  });
});
