import { beforeAll, describe, expect, it } from 'vitest';
import { nllMatrix } from '#evaluation/likelihood';
import { captionLoss, imageContexts, imageStateShape, imageStates, type JointModel, type StateCache } from '#fusion';
import { textBatch } from '#language';
import { selectEngine, tf } from '#src/engine';
import { temporaryFolder } from '../../support/temporaryFolder.js';
import { noisePixels, stirFusion, tinyJointModel } from '../../support/tinyJointModel.js';

const CAPTIONS = ['a red square', 'the square is pink', 'a red square', 'a square', 'the square is brown'];

beforeAll(async () => {
  await selectEngine('wasm');
});

/** A model whose bridges are loud, and states of as many images as there are captions. */
async function prepared(): Promise<{ model: JointModel; cache: StateCache }> {
  const model = tinyJointModel(temporaryFolder());
  stirFusion(model);
  const states = tf.tidy(() => imageStates(model, noisePixels(CAPTIONS.length)));
  const values = (await states.data()) as Float32Array;
  states.dispose();
  const width = values.length / CAPTIONS.length;
  const rows = (positions: ArrayLike<number>): number[] =>
    Array.from(positions).flatMap((p) => Array.from(values.subarray(p * width, (p + 1) * width)));
  return {
    model,
    cache: {
      states: (positions) => tf.tensor4d(rows(positions), [positions.length, ...imageStateShape(model.config)]),
      bytes: 0,
    },
  };
}

/** One caption under one image, by itself. */
async function nllOf(
  { model, cache }: { model: JointModel; cache: StateCache },
  image: number | undefined,
  caption: string,
): Promise<number> {
  const end = model.tokenizer.endOfTextId;
  const row = Int32Array.from([end, ...model.tokenizer.encode(caption), end]);
  const nll = tf.tidy(() => {
    const contexts = image === undefined ? undefined : imageContexts(model, cache.states([image]), { bridge: true });
    return captionLoss(model, textBatch([row], row.length - 1, end), contexts);
  });
  const [value] = await nll.data();
  nll.dispose();
  return value;
}

describe('nllMatrix', () => {
  it('holds what each caption costs under each image by itself, whatever the batch', async () => {
    const both = await prepared();
    const { model, cache } = both;
    let worst = 0;
    for (const batchSize of [1, 7, 100]) {
      const { given, blind } = await nllMatrix(model, cache, [0, 1, 2, 3, 4], CAPTIONS, batchSize);
      for (const [c, caption] of CAPTIONS.entries()) {
        worst = Math.max(worst, Math.abs(blind[c] - (await nllOf(both, undefined, caption))));
        for (let i = 0; i < CAPTIONS.length; i++) {
          worst = Math.max(worst, Math.abs(given[i][c] - (await nllOf(both, i, caption))));
        }
      }
    }
    // Measured: 7.6e-6, of NLLs of tens of nats.
    expect(worst).toBeLessThan(1e-4);
    model.dispose();
  });

  it('costs equal captions equally, to the bit', async () => {
    const { model, cache } = await prepared();
    const { given } = await nllMatrix(model, cache, [0, 1, 2, 3, 4], CAPTIONS, 3);
    model.dispose();
    for (const row of given) expect(row[0]).toBe(row[2]);
    expect(given[0][0]).not.toBe(given[1][0]);
  });

  it('leaves no tensor behind', async () => {
    const { model, cache } = await prepared();
    const { numTensors } = tf.memory();
    await nllMatrix(model, cache, [0, 1], CAPTIONS.slice(0, 2), 4);
    expect(tf.memory().numTensors).toBe(numTensors);
    model.dispose();
  });
});
