import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { type Event, readEvents } from 'tensorboard-writer';
import { beforeAll, describe, expect, it } from 'vitest';
import { selectEngine } from '#src/engine';
import { listEventFiles } from '#src/tracking';
import { isFirstObserved, isObserved } from '../../src/training/observation.js';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { regression, train } from '../support/tinyTraining.js';

beforeAll(async () => {
  await selectEngine('cpu');
});

const eventsOf = (runDir: string): Event[] =>
  listEventFiles(join(runDir, 'events')).flatMap((path) => readEvents(path));

/** Everything in the events but their times, which differ. */
const contentOf = (runDir: string) =>
  eventsOf(runDir)
    .filter(({ values }) => values.length > 0)
    .map(({ step, values }) =>
      JSON.stringify([step, values], (key, value) => (/Seconds$/.test(key) ? undefined : value)),
    )
    .sort();

const hasKind = (kind: string) => (event: Event) => event.values.some((value) => value.kind === kind);

describe('how often TensorBoard looks at a model', () => {
  it('is once in 300 steps at most, at validations alone, the first of them once', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 700 }), fc.integer({ min: 1, max: 5000 }), (evaluateEvery, steps) => {
        const validated = Array.from({ length: steps }, (_, i) => i + 1).filter(
          (step) => step % evaluateEvery === 0 || step === steps,
        );
        const observed = [0, ...validated].filter((step) => isObserved(step, { evaluateEvery }));
        expect(observed.length).toBeLessThanOrEqual(steps / 300);
        if (evaluateEvery <= 300) expect(observed.length).toBe(Math.floor(steps / 300));
        expect(observed.filter((step) => isFirstObserved(step, { evaluateEvery }))).toEqual(observed.slice(0, 1));
      }),
    );
  });
});

describe('the events of a run', () => {
  const observing = () => ({
    ...regression(),
    observe: async (isFirst: boolean) => ({
      histograms: { 'use/a': [1, 2, 3] },
      ...(isFirst && { texts: { first: 'yes' } }),
    }),
  });
  const config = { steps: 620, evaluateEvery: 100, checkpointEvery: 200, logEvery: 100 };

  it('hold histograms, one row of HPARAMS and the best value beside the metrics, which stay as they are', async () => {
    const [folder, plain] = [temporaryFolder(), temporaryFolder()];
    const { bestValue } = await train(observing(), folder, config);
    await train(regression(), plain, config);
    expect(readFileSync(join(folder, 'metrics.jsonl'))).toEqual(readFileSync(join(plain, 'metrics.jsonl')));
    const events = eventsOf(folder);
    expect(events.filter(hasKind('histogram')).map(({ step }) => step)).toEqual([300, 600]);
    expect(events.filter(hasKind('text')).map(({ step }) => step)).toEqual([300]);
    const content = events.flatMap(({ values }) =>
      values.flatMap((value) => (value.kind === 'hparams' ? value.content : [])),
    );
    expect(content).toMatchObject([
      { type: 'sessionStart', values: { kind: 'language', seed: 1, 'training.steps': 620, 'training.batchSize': 4 } },
    ]);
    const best = events.flatMap(({ step, values }) =>
      values.flatMap((value) =>
        value.kind === 'scalar' && value.tag.startsWith('best/') ? [[step, value.value]] : [],
      ),
    );
    expect(best).toEqual([[620, Math.fround(bestValue)]]);
  });

  it('are those of an unbroken run after a resume, and after an extension those of a longer one', async () => {
    const [whole, broken] = [temporaryFolder(), temporaryFolder()];
    await train(observing(), whole, config);
    const stop = new AbortController();
    const task = observing();
    const { evaluate } = task;
    let evaluations = 0;
    const stopping = {
      ...task,
      // After the validation at step 300, which looked: the step that follows ends the run.
      evaluate: async (check: () => void) => {
        if (++evaluations === 4) stop.abort(new Error('stopped'));
        return evaluate(check);
      },
    };
    await expect(train(stopping, broken, config, { signal: stop.signal })).rejects.toThrow('stopped');
    expect(eventsOf(broken).filter(hasKind('histogram'))).toHaveLength(1);
    await train(observing(), broken, config, { resume: true });
    expect(contentOf(broken)).toEqual(contentOf(whole));
    await train(observing(), broken, config, { resume: true });
    expect(contentOf(broken)).toEqual(contentOf(whole));
  });
});
