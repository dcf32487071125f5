import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { InitFromSmaller, TrainingConfig } from '#src/training';

it('the examples of docs/growth.md are what the schemas take', () => {
  const page = readFileSync(new URL('../../docs/growth.md', import.meta.url), 'utf8');
  const blocks = [...page.matchAll(/```yaml\n(.*?)```/gs)].map(([, yaml]) => parse(yaml) as Record<string, object>);
  expect(blocks.map((block) => Object.keys(block)[0])).toEqual(['initFrom', 'training', 'training']);
  expect(InitFromSmaller.safeParse(blocks[0].initFrom).error).toBeUndefined();
  for (const { training } of blocks.slice(1)) {
    const whole = { steps: 10, batchSize: 4, learningRate: 0.001, ...training };
    expect(TrainingConfig.safeParse(whole).error).toBeUndefined();
  }
});
