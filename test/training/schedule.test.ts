import { describe, expect, it } from 'vitest';
import { learningRateAt, TrainingConfig } from '#src/training';

const schedule = { steps: 110, warmupSteps: 10, learningRate: 2, finalLearningRateShare: 0.1 };

describe('learningRateAt', () => {
  it.each([
    [1, 0.2],
    [5, 1],
    [10, 2],
    [60, 1.1],
    [110, 0.2],
  ])('of step %i is %d', (step, expected) => {
    expect(learningRateAt(step, schedule)).toBeCloseTo(expected, 12);
  });

  it('never falls while warming up and never rises afterwards', () => {
    const rates = Array.from({ length: 110 }, (_, i) => learningRateAt(i + 1, schedule));
    for (let i = 1; i < 10; i++) expect(rates[i]).toBeGreaterThan(rates[i - 1]);
    for (let i = 10; i < 110; i++) expect(rates[i]).toBeLessThan(rates[i - 1]);
  });

  it('without a warm-up starts just below the peak', () => {
    const rate = learningRateAt(1, { ...schedule, warmupSteps: 0 });
    expect(rate).toBeLessThan(2);
    expect(rate).toBeGreaterThan(1.99);
  });

  it('with a floor of 1 is constant', () => {
    expect(learningRateAt(77, { ...schedule, finalLearningRateShare: 1 })).toBe(2);
  });

  it('of a single step is the floor', () => {
    expect(learningRateAt(1, { ...schedule, steps: 1, warmupSteps: 0 })).toBeCloseTo(0.2, 12);
  });
});

describe('TrainingConfig', () => {
  const least = { steps: 10, batchSize: 1, learningRate: 0.1 };

  it('needs a number of steps, a batch size and a learning rate; the rest has defaults', () => {
    expect(TrainingConfig.parse(least)).toMatchObject({ gradientAccumulation: 1, clipNorm: 1, weightDecay: 0.1 });
    expect(TrainingConfig.safeParse({}).error?.issues.map(({ path }) => path[0])).toEqual([
      'steps',
      'batchSize',
      'learningRate',
    ]);
  });

  it('refuses a warm-up that never ends', () => {
    const [issue] = TrainingConfig.safeParse({ ...least, warmupSteps: 10 }).error!.issues;
    expect([issue.path, issue.message]).toEqual([
      ['warmupSteps'],
      'expected fewer than training.steps, 10, got 10; lower it too',
    ]);
  });

  it('multiplies at the highest precision unless told otherwise, and knows the names of the others', () => {
    expect(TrainingConfig.parse(least).matmulPrecision).toBe('highest');
    for (const matmulPrecision of ['tf32', 'bf16'] as const)
      expect(TrainingConfig.parse({ ...least, matmulPrecision }).matmulPrecision).toBe(matmulPrecision);
    const [issue] = TrainingConfig.safeParse({ ...least, matmulPrecision: 'bfloat16' }).error!.issues;
    expect(issue.message).toMatch(/"highest"\|"tf32"\|"bf16"/);
  });

  it.each([
    ['steps', -1],
    ['learningRate', 0],
    ['beta1', 1],
    ['clipNorm', 0],
    ['finalLearningRateShare', 1.5],
    ['evaluateEvery', 0.5],
  ])('refuses %s %d', (key, value) => {
    expect(TrainingConfig.safeParse({ ...least, [key]: value }).success).toBe(false);
  });
});

describe('wsd', () => {
  const wsd = { ...schedule, schedule: 'wsd', decayShare: 0.4 } as const;

  it.each([
    [5, 1],
    [10, 2],
    [66, 2],
    [88, 1.1],
    [110, 0.2],
  ])('at step %i is %d', (step, expected) => {
    expect(learningRateAt(step, wsd)).toBeCloseTo(expected, 12);
  });

  it('without a decay keeps the peak to the last step, and decays over a fifth unless told otherwise', () => {
    expect(learningRateAt(110, { ...wsd, decayShare: 0 })).toBe(2);
    expect(learningRateAt(88, { ...wsd, decayShare: undefined })).toBe(2);
    expect(learningRateAt(99, { ...wsd, decayShare: undefined })).toBeCloseTo(1.1, 12);
  });
});

it('after a growth the schedule is warmed up to again', () => {
  const stage = { policy: 'preserve', factor: 2, optimizer: 'keep' } as const;
  const stages = [
    { ...stage, afterStep: 40, warmupSteps: 4 },
    { ...stage, afterStep: 60, warmupSteps: 0 },
  ];
  const ratio = (step: number): number =>
    learningRateAt(step, { ...schedule, stages }) / learningRateAt(step, schedule);
  expect([40, 41, 42, 43, 44, 45, 61].map(ratio)).toEqual([1, 0.25, 0.5, 0.75, 1, 1, 1]);
});

it.each([
  [{ decayShare: 0.5 }, 'decayShare', 'expected schedule wsd'],
  [{ stages: [{ afterStep: 110, factor: 2 }] }, 'stages.0.afterStep', 'expected fewer than training.steps, 110'],
  [
    { stages: [20, 20].map((afterStep) => ({ afterStep, factor: 2 })) },
    'stages.1.afterStep',
    'expected more than the stage before, 20',
  ],
  [{ stages: [{ afterStep: 20 }] }, 'stages.0', 'expected factor, tokens or layers'],
  [{ stages: [{ afterStep: 20, factor: 2, tokens: { ffn: 1 } }] }, 'stages.0.tokens', 'got both'],
  [{ stages: [{ afterStep: 20, tokens: { ffn: 0 } }] }, 'stages.0.tokens', 'got none'],
  [{ learningRates: [{ factor: 2 }] }, 'learningRates.0', 'expected names, tokens or both'],
])('%j is refused', (given, path, message) => {
  const parsed = TrainingConfig.safeParse({ steps: 110, batchSize: 1, learningRate: 1, ...given });
  expect(parsed.error?.issues.map((issue) => [issue.path.join('.'), issue.message])).toEqual([
    [path, expect.stringContaining(message)],
  ]);
});
