import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Experiment, parseExperiment } from '#experiments';
import { createLanguageParameters, LanguageConfig } from '#language';
import type { HostTensor } from '#src/storage';
import { createVisionParameters, VisionConfig } from '#vision';

const folder = resolve(import.meta.dirname, '../../experiments/gpu');
const files = readdirSync(folder).sort();

function read<Kind extends Experiment['kind']>(file: string, kind: Kind): Extract<Experiment, { kind: Kind }> {
  const { config } = parseExperiment(join(folder, file));
  if (config.kind !== kind) throw new Error(`expected ${kind}, got ${config.kind}`);
  return config as Extract<Experiment, { kind: Kind }>;
}

/** Of a model that need not be drawn for it. */
function countOf(parameters: ReadonlyMap<string, HostTensor>): number {
  return [...parameters.values()].reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
}

describe('experiments/gpu', () => {
  const [vision, language] = [read('vision.yaml', 'vision'), read('language.yaml', 'language')];
  const [merge, align, evaluate] = [
    read('merge.yaml', 'merge'),
    read('align.yaml', 'align'),
    read('evaluate.yaml', 'evaluate'),
  ];

  it('has backbones of 20 to 50 million parameters', () => {
    const { vocabSize } = read('tokenizer.yaml', 'tokenizer');
    const config = LanguageConfig.parse({ vocabSize, seqLen: language.data.seqLen, stack: language.model.stack });
    const counts = [
      countOf(createVisionParameters(VisionConfig.parse(vision.model), 1)),
      countOf(createLanguageParameters(config, 1)),
    ];
    for (const count of counts) {
      expect(count).toBeGreaterThan(20e6);
      expect(count).toBeLessThan(50e6);
    }
  });

  it('trains in bf16, and in blocks that cuda has kernels for', () => {
    for (const { training } of [vision, language, align]) expect(training.matmulPrecision).toBe('bf16');
    expect(merge.fusion).toMatchObject({ method: 'routed' });
    expect(merge.fusion.imageGate).toBeUndefined();
  });

  it('reads in each stage what the one before has written', () => {
    expect(read('pipeline.yaml', 'pipeline').scenes).toBeUndefined();
    expect([merge.vision, merge.language]).toEqual([vision.name, language.name]);
    expect([align.model, evaluate.model]).toEqual([merge.name, align.name]);
    expect(language.tokenizer).toMatchObject({ path: 'tokenizer/tokenizer.json' });
  });

  it.each(files)('%s says what it is for, what it reads, how it is run and on what', (file) => {
    const header = readFileSync(join(folder, file), 'utf8').split('\nkind:')[0];
    for (const word of ['Purpose', 'Data', 'Command', 'Hardware'])
      expect(header).toMatch(new RegExp(`^# ${word}:`, 'm'));
    expect(header).toMatch(/# Hardware: (any|written for one H100-class card; not run on one yet)\./);
  });
});
