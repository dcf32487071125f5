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
    expect(TrainingConfig.parse({ ...least, matmulPrecision: 'bf16' }).matmulPrecision).toBe('bf16');
    const [issue] = TrainingConfig.safeParse({ ...least, matmulPrecision: 'bfloat16' }).error!.issues;
    expect(issue.message).toMatch(/"highest"\|"bf16"/);
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
