import { describe, expect, it } from 'vitest';
import { ConfigError, didYouMean, namesInLine, nearestName, RunError, UserError } from '#src/errors';

const names = ['learningRate', 'batchSize', 'steps', 'seed'];

describe('exit codes', () => {
  it('are 1 for a failure and 2 for wrong usage, configuration or data', () => {
    expect(new RunError('x').exitCode).toBe(1);
    expect(new UserError('x').exitCode).toBe(2);
    expect(new ConfigError('x').exitCode).toBe(2);
  });

  it('a ConfigError is a UserError, so one catch serves both', () => {
    expect(new ConfigError('x')).toBeInstanceOf(UserError);
  });

  it('a ConfigError holds every problem, one a line', () => {
    const error = new ConfigError(['first', 'second']);
    expect(error.message).toBe('first\nsecond');
    expect(error.problems).toEqual(['first', 'second']);
  });
});

describe('nearestName', () => {
  it.each([
    ['learningrate', 'learningRate'],
    ['lerningRate', 'learningRate'],
    ['batch', undefined],
    ['batchSzie', 'batchSize'],
    ['sed', 'seed'],
    ['completelyOther', undefined],
  ])('of %s is %s', (given, expected) => {
    expect(nearestName(given, names)).toBe(expected);
  });

  it('is nothing without candidates', () => {
    expect(nearestName('steps', [])).toBeUndefined();
  });
});

describe('didYouMean', () => {
  it('is a clause ready to append', () => {
    expect(didYouMean('stepz', names)).toBe(" (did you mean 'steps'?)");
  });

  it('is empty when nothing is near', () => {
    expect(didYouMean('xylophone', names)).toBe('');
  });
});

describe('namesInLine', () => {
  const many = Array.from({ length: 40 }, (_, i) => `name${i}`);

  it('lists a few names', () => {
    expect(namesInLine(['query', 'key', 'value'])).toBe('query, key, value');
  });

  it('cuts a long list, and says how many there are', () => {
    expect(namesInLine(many, 3)).toBe('name0, name1, name2 and 37 more');
    expect(namesInLine(many).length).toBeLessThan(120);
  });
});
