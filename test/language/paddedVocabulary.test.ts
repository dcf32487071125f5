import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { captionImages, imageStates, loadJointModel, unmerge } from '#fusion';
import { Decoding, generateText, languageHidden, loadLanguageModel, summedTokenLoss } from '#language';
import { selectEngine, tf } from '#src/engine';
import type { HostTensor } from '#src/storage';
import { findCheckpoint, readCheckpoint, writeCheckpoint } from '#src/training';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { userErrorLine } from '../support/thrown.js';
import { alignTiny } from '../support/tinyAlign.js';
import { writeTinyBackbones } from '../support/tinyBackbones.js';
import { writeTinyCaptions } from '../support/tinyCaptions.js';
import { mergeTiny, noisePixels } from '../support/tinyJointModel.js';

beforeAll(async () => {
  await selectEngine('wasm');
});

const EMBEDDING = 'language/tokenEmbedding';
const sampled = Decoding.parse({ method: 'sample', temperature: 100, maxTokens: 60, seed: 3 });

/**
 * The tiny backbones, and as `<folder>/<name>` the language model with other rows in its embedding: those added are so large that
 * they would be drawn at once.
 */
function withRows(folder: string, name: string, more: number): string {
  writeTinyBackbones(folder);
  const { model, tensors, assets } = readCheckpoint(join(folder, 'language'));
  const { shape, values } = tensors.get(EMBEDDING) as HostTensor;
  const rows = shape[0] + more;
  const changed = new Float32Array(rows * shape[1]).fill(1000);
  changed.set(values.subarray(0, Math.min(values.length, changed.length)) as Float32Array);
  const config = { ...model.config, backbone: { ...(model.config.backbone as object), vocabSize: rows } };
  writeCheckpoint(join(folder, name), {
    model: { kind: 'language', config },
    tensors: new Map([...tensors, [EMBEDDING, { shape: [rows, shape[1]], values: changed }]]),
    assets,
  });
  return join(folder, name);
}

describe('a vocabulary padded with rows that no token has', () => {
  it('never draws one of them, and gives them no share of the probability', async () => {
    const folder = temporaryFolder();
    const padded = loadLanguageModel(withRows(folder, 'padded', 20));
    const plain = loadLanguageModel(join(folder, 'language'));
    expect(padded.config.vocabSize).toBe(plain.config.vocabSize + 20);
    expect(await generateText(padded, 'a red', sampled)).toEqual(await generateText(plain, 'a red', sampled));
    const lossOf = ({ tree, config }: typeof plain): number =>
      tf.tidy(() => {
        const { hidden } = languageHidden(tree, config, tf.tensor2d([[1, 2, 3]], [1, 3], 'int32'));
        return summedTokenLoss(tree, hidden, Int32Array.of(2, 3, 4)).dataSync()[0];
      });
    expect(lossOf(padded)).toBe(lossOf(plain));
    for (const model of [padded, plain]) model.dispose();
  });

  it('goes through merge, captions, alignment and unmerge, every row kept', async () => {
    const folder = temporaryFolder();
    const { tensors } = readCheckpoint(withRows(folder, 'padded', 20));
    await writeTinyCaptions(folder);
    const merged = mergeTiny(folder, {}, 'merged', 'padded');
    const joint = loadJointModel(merged);
    const states = tf.tidy(() => imageStates(joint, noisePixels(2)));
    const captions = await captionImages(joint, states, { decoding: sampled, bridge: true });
    expect(captions).toHaveLength(2);
    states.dispose();
    joint.dispose();
    const { runDir, backbonesKept, bestValue } = await alignTiny(folder);
    expect(backbonesKept?.kept).toBe(backbonesKept?.total);
    expect(bestValue).toBeGreaterThan(0);
    unmerge(findCheckpoint(runDir), join(folder, 'v'), join(folder, 'l'));
    expect(readCheckpoint(join(folder, 'l')).tensors).toEqual(tensors);
  });
});

it('a model of fewer rows than its tokenizer has tokens is refused', () => {
  const line = userErrorLine(() => loadLanguageModel(withRows(temporaryFolder(), 'small', -10)));
  expect(line).toMatch(/its tokenizer bpe-\d+ has \d+ tokens, its embedding only \d+ rows; expected a row for each/);
});
