import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { EvaluateExperiment, readEvaluation } from '#evaluation';
import { selectEngine } from '#src/engine';
import { readText } from '#src/storage';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { writeTinyCaptions } from '../support/tinyCaptions.js';
import { tinyJointModel } from '../support/tinyJointModel.js';
import { tokenfuse, writeExperiment } from '../support/tokenfuse.js';

beforeAll(async () => {
  await selectEngine('cpu');
});

interface Generated {
  readonly sparse?: string;
  readonly candidates: readonly { readonly logProb: number }[];
}

describe('--sparse', () => {
  it.each(['language', 'merged'])(
    'of tokenfuse generate changes what a %s model computes, and is in the result',
    async (model) => {
      const folder = temporaryFolder();
      // Clusters are for groups of 512 and more.
      tinyJointModel(folder, {}, { language: { ffnParamTokens: 512 } }).dispose();
      const generate = async (...words: string[]): Promise<Generated> => {
        const options = ['--engine', 'cpu', '--max-tokens', '3', '--json', ...words];
        const { code, stdout, stderr } = await tokenfuse(['generate', model, 'a red', ...options], folder);
        expect(code, stderr).toBe(0);
        return JSON.parse(stdout) as Generated;
      };
      const dense = await generate();
      const whole = await generate('--sparse', '100%');
      const some = await generate('--sparse', '2');
      const routed = await generate('--sparse', 'clusters:1/2');
      expect([dense, whole, some, routed].map(({ sparse }) => sparse)).toEqual([
        undefined,
        '100%',
        '2',
        'clusters:1/2',
      ]);
      expect(whole.candidates).toEqual(dense.candidates);
      const logProbs = [dense, some, routed].map(({ candidates }) => candidates[0].logProb);
      expect(new Set(logProbs).size).toBe(3);
    },
  );

  it.each([
    ['generate', 'language'],
    ['caption', 'merged', 'images'],
    ['evaluate', 'evaluate.yaml'],
  ])('of tokenfuse %s must be a number, a share or clusters', async (...words) => {
    const { code, stderr } = await tokenfuse([...words, '--sparse', '0%'], temporaryFolder());
    expect(code).toBe(2);
    expect(stderr).toContain('--sparse: expected a number of parameter tokens (64), a share of each group (25%)');
    expect(stderr).toContain("got '0%'");
  });

  it('of tokenfuse caption goes into its file, which is not continued with another', async () => {
    const folder = temporaryFolder();
    tinyJointModel(folder).dispose();
    await writeTinyCaptions(folder, ['red', 'blue']);
    const caption = (...words: string[]) =>
      tokenfuse(
        ['caption', 'merged', 'images', '--engine', 'cpu', '--max-tokens', '3', '--out', 'all.json', ...words],
        folder,
      );
    const first = await caption('--sparse', '50%');
    expect(first.code, first.stderr).toBe(0);
    expect(readText(join(folder, 'all.jsonl'), 'captions').split('\n')[0]).toContain('"sparse":"50%"');
    const second = await caption('--sparse', '25%');
    expect(second.code).toBe(2);
    expect(second.stderr).toContain('made with other settings (sparse "50%", now "25%")');
    const dense = await caption();
    expect(dense.stderr).toContain('made with other settings (sparse "50%", now not set)');
  });

  it('of tokenfuse evaluate is a key of its configuration', async () => {
    const folder = temporaryFolder();
    tinyJointModel(folder).dispose();
    await writeTinyCaptions(folder, ['red', 'blue']);
    const experiment = (name: string) => ({
      kind: 'evaluate',
      name,
      model: 'merged',
      sets: [{ name: 'seen', captions: 'captions.json' }],
      decoding: { method: 'greedy', maxTokens: 3 },
      retrieval: { poolSize: 0 },
      bootstrapSamples: 10,
      report: { examples: 1, gallery: 0 },
    });
    const evaluate = async (name: string, ...words: string[]): Promise<string> => {
      const file = writeExperiment(folder, experiment(name));
      const { code, stderr } = await tokenfuse(['evaluate', file, '--engine', 'cpu', ...words], folder);
      expect(code, stderr).toBe(0);
      expect(existsSync(join(folder, name, 'report.html'))).toBe(true);
      const { sets } = readEvaluation(join(folder, name));
      return JSON.stringify(sets[0].likelihood);
    };
    const dense = await evaluate('dense');
    const whole = await evaluate('whole', '--sparse', '100%');
    const some = await evaluate('some', '--sparse', '2');
    expect(whole).toBe(dense);
    expect(some).not.toBe(dense);
    expect(readText(join(folder, 'some', 'config.json'), 'configuration')).toContain('"sparse": "2"');
  });

  it.each([
    [64, '64'],
    ['25%', '25%'],
    ['clusters:8/64', 'clusters:8/64'],
  ])('may stand in an evaluation as %j', (sparse, kept) => {
    const sets = [{ name: 'seen', captions: 'captions.json' }];
    const given = { kind: 'evaluate', name: 'e', model: 'm', sets, sparse };
    const parsed = EvaluateExperiment.parse(given);
    expect(parsed.sparse).toBe(kept);
    // What a folder keeps is read again.
    expect(EvaluateExperiment.parse(JSON.parse(JSON.stringify(parsed)))).toEqual(parsed);
    expect(EvaluateExperiment.safeParse({ ...given, sparse: 0 }).success).toBe(false);
  });
});
