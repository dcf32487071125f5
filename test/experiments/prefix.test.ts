import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { EvaluateExperiment, readEvaluation } from '#evaluation';
import { trainBpe, writeBpeModel } from '#language';
import { readText } from '#src/storage';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { writeTinyCaptions } from '../support/tinyCaptions.js';
import { writeTinyGroup } from '../support/tinyGroups.js';
import { tinyJointModel } from '../support/tinyJointModel.js';
import { refusal, tokenfuse, writeExperiment } from '../support/tokenfuse.js';

const text = 'the cat sat on the mat. the dog sat on the log. '.repeat(40);

async function json(words: string[], folder: string): Promise<Record<string, unknown>> {
  const { code, stdout, stderr } = await tokenfuse([...words, '--engine', 'cpu', '--json'], folder);
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout) as Record<string, unknown>;
}

describe('--prefix', () => {
  it('of tokenfuse generate is what tokenfuse shrink --prefix writes, to the bit', { timeout: 60_000 }, async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'text.txt'), text);
    writeBpeModel(join(folder, 'bpe.json'), trainBpe({ texts: [text], vocabSize: 270 }));
    const sizes = { qkvParamTokens: 8, outputParamTokens: 8, ffnParamTokens: 16 };
    writeExperiment(folder, {
      kind: 'language',
      name: 'run',
      model: { stack: { dModel: 16, numLayers: 1, numHeads: 2, ...sizes } },
      tokenizer: { kind: 'bpe', path: 'bpe.json' },
      data: { files: ['text.txt'], seqLen: 16, validationShare: 0.1 },
      training: { steps: 8, batchSize: 4, learningRate: 0.03, nested: { least: 0.25 } },
    });
    await json(['train', 'language.yaml'], folder);
    const { parameters } = await json(['shrink', 'run', 'small', '--prefix', '25%'], folder);
    // 2 · 16 numbers a token, 4 · 6 + 12 tokens fewer.
    expect(parameters).toMatchObject({ before: expect.any(Number) });
    const { before, after } = parameters as { before: number; after: number };
    expect(before - after).toBe(32 * 36);
    const generate = (model: string, ...words: string[]) =>
      json(['generate', model, 'the', '--max-tokens', '4', ...words], folder);
    const [whole, part, small] = [
      await generate('run'),
      await generate('run', '--prefix', '25%'),
      await generate('small'),
    ];
    expect(part.prefix).toBe('25%');
    expect(part.candidates).toEqual(small.candidates);
    expect(part.candidates).not.toEqual(whole.candidates);
    expect(await refusal(['shrink', 'run', 'x', '--prefix', '0'], folder, 2)).toContain(
      '--prefix: expected a number of parameter tokens (64) or a share of each group (25%)',
    );
  });

  it('of a merged model without an image is that of its language backbone, with groups and sparsity beside it', async () => {
    const folder = temporaryFolder();
    tinyJointModel(folder).dispose();
    const group = writeTinyGroup(folder, 'language', { name: 'verse' });
    for (const words of [[], ['--group', group], ['--sparse', '2']]) {
      const generate = async (model: string, prefix: string) =>
        (await json(['generate', model, 'a red', '--max-tokens', '3', '--prefix', prefix, ...words], folder))
          .candidates;
      const alone = await generate('language', '50%');
      expect(await generate('merged', 'language=50%')).toEqual(alone);
      expect(await generate('merged', '50%')).toEqual(alone);
      expect(await generate('merged', 'vision=50%')).not.toEqual(alone);
    }
  });

  it('refuses what is no prefix in one line', async () => {
    const folder = temporaryFolder();
    tinyJointModel(folder).dispose();
    for (const words of [
      ['generate', 'language'],
      ['caption', 'merged', 'images'],
      ['evaluate', 'evaluate.yaml'],
    ]) {
      expect(await refusal([...words, '--prefix', 'bridge=4'], folder, 2)).toContain(
        "--prefix: expected a share of each group (50%), a number of parameter tokens (64), or either by backbone (vision=25%,language=50%), got 'bridge=4'",
      );
    }
    expect(await refusal(['generate', 'language', '--prefix', 'vision=4'], folder, 2)).toContain(
      '--prefix: expected one of the language backbone',
    );
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
    const first = await caption('--prefix', 'language=50%');
    expect(first.code, first.stderr).toBe(0);
    expect(readText(join(folder, 'all.jsonl'), 'captions').split('\n')[0]).toContain('"prefix":"language=50%"');
    expect((await caption()).stderr).toContain('made with other settings (prefix "language=50%", now not set)');
  });

  it('of tokenfuse evaluate is a key of its configuration', async () => {
    const folder = temporaryFolder();
    tinyJointModel(folder).dispose();
    await writeTinyCaptions(folder, ['red', 'blue']);
    const evaluate = async (name: string, ...words: string[]): Promise<string> => {
      const file = writeExperiment(folder, {
        ...{ kind: 'evaluate', name, model: 'merged', sets: [{ name: 'seen', captions: 'captions.json' }] },
        ...{ decoding: { method: 'greedy', maxTokens: 3 }, retrieval: { poolSize: 0 } },
        ...{ bootstrapSamples: 10, report: { examples: 1, gallery: 0 } },
      });
      await json(['evaluate', file, ...words], folder);
      return JSON.stringify(readEvaluation(join(folder, name)).sets[0].likelihood);
    };
    const dense = await evaluate('dense');
    expect(await evaluate('all', '--prefix', '100%')).toBe(dense);
    expect(await evaluate('some', '--prefix', 'vision=50%,language=3')).not.toBe(dense);
    expect(readText(join(folder, 'some', 'config.json'), 'configuration')).toContain(
      '"prefix": "vision=50%,language=3"',
    );
    const given = { kind: 'evaluate', name: 'e', model: 'm', sets: [{ name: 'seen', captions: 'c.json' }] };
    expect(EvaluateExperiment.parse({ ...given, prefix: 64 }).prefix).toBe('64');
    expect(EvaluateExperiment.safeParse({ ...given, prefix: '0%' }).success).toBe(false);
  });
});
