import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadLanguageModel, trainBpe, writeBpeModel } from '#language';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { writeTinyBackbones } from '../support/tinyBackbones.js';
import { mergeTiny } from '../support/tinyJointModel.js';
import { refusal, tokenfuse, writeExperiment } from '../support/tokenfuse.js';

const text = 'the cat sat on the mat. the dog sat on the log. '.repeat(40);
const ENGINE = ['--engine', 'wasm'];

function writeLanguageExperiment(folder: string): void {
  writeFileSync(join(folder, 'text.txt'), text);
  writeBpeModel(join(folder, 'bpe.json'), trainBpe({ texts: [text], vocabSize: 270 }));
  writeExperiment(folder, {
    kind: 'language',
    name: 'run',
    model: {
      stack: {
        ...{ dModel: 16, numLayers: 1, numHeads: 2 },
        ...{ qkvParamTokens: 16, outputParamTokens: 16, ffnParamTokens: 32 },
      },
    },
    tokenizer: { kind: 'bpe', path: 'bpe.json' },
    data: { files: ['text.txt'], seqLen: 16, validationShare: 0.1 },
    training: { steps: 20, batchSize: 4, learningRate: 0.03 },
  });
}

describe('shrink', () => {
  it('drops the least used tokens of a run, measures the loss before and after, and leaves a model that loads', async () => {
    const folder = temporaryFolder();
    writeLanguageExperiment(folder);
    expect((await tokenfuse(['train', 'language.yaml', ...ENGINE], folder)).code).toBe(0);
    const words = ['shrink', 'run', 'smaller', '--share', '0.25', '--batches', '3', ...ENGINE];
    const { code, stdout } = await tokenfuse(words, folder);
    expect(code).toBe(0);
    const [, before, after] = /validation loss ([\d.]+) before, ([\d.]+) after\n/.exec(stdout) ?? [];
    expect(Number(after)).toBeGreaterThan(Number(before) - 0.05);
    expect(Number(after)).toBeLessThan(Number(before) + 1);
    const model = loadLanguageModel(join(folder, 'smaller'));
    expect(model.config.stack).toMatchObject({ qkvParamTokens: 12, outputParamTokens: 12, ffnParamTokens: 24 });
    model.dispose();
    // The same input, the same numbers.
    const metrics: unknown[] = [];
    for (const out of ['x', 'y']) {
      const again = await tokenfuse(['shrink', 'run', out, '--tokens', 'ffn=8', ...ENGINE, '--json'], folder);
      metrics.push(JSON.parse(again.stdout).metrics);
    }
    expect(metrics[1]).toEqual(metrics[0]);
  });

  it('refuses what it cannot do in one line', async () => {
    const folder = temporaryFolder();
    writeTinyBackbones(folder);
    mergeTiny(folder);
    const refused = (...words: string[]): Promise<string> => refusal(['shrink', ...words, ...ENGINE], folder, 2);
    expect(await refused('language', 'out')).toContain('expected --share, --tokens or --prefix');
    expect(await refused('language', 'out', '--share', '1')).toContain(
      "--share: expected a number between 0 and 1, got '1'",
    );
    expect(await refused('language', 'out', '--share', '0.5', '--tokens', 'ffn=1')).toContain(
      'got --share and --tokens',
    );
    expect(await refused('language', 'out', '--share', '0.5')).toContain('expected a run directory with config.json');
    expect(await refused('merged', 'out', '--share', '0.5')).toContain('shrink its backbones before the merge');
    expect(await refused('language', 'vision', '--share', '0.5')).toContain('--overwrite');
  });
});
