import { type AnyLanguageConfig, languageHidden, languageLogits } from '#language';
import { tf } from '#src/engine';
import { createRandom } from '#src/random';
import type { HostTensor } from '#src/storage';
import { ParameterTree } from '#src/tokenformer';
import { type AnyVisionConfig, visionForward } from '#vision';

/** A backbone as numbers: its configuration and at least its own tensors. */
export type Backbone =
  | { readonly kind: 'language'; readonly config: AnyLanguageConfig; readonly tensors: ReadonlyMap<string, HostTensor> }
  | { readonly kind: 'vision'; readonly config: AnyVisionConfig; readonly tensors: ReadonlyMap<string, HostTensor> };

/** How far two models' outputs are apart on the same random input. */
export interface FunctionChange {
  /** `logits`, or `image states` after the final norm. */
  readonly of: string;
  /** max |y' − y| */
  readonly largest: number;
  /** max |y| */
  readonly scale: number;
}

/** Sequences or images that are compared. */
const BATCH = 2;
const MOST_TOKENS = 64;

/** Compares what a backbone computes before and after a change that keeps its input and output. */
export async function functionChange(before: Backbone, after: Backbone): Promise<FunctionChange> {
  const [old, now] = [await outputOf(before), await outputOf(after)];
  const largest = old.reduce((most, value, i) => Math.max(most, Math.abs(now[i] - value)), 0);
  const scale = old.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return { of: before.kind === 'language' ? 'logits' : 'image states', largest, scale };
}

async function outputOf(backbone: Backbone): Promise<Float32Array> {
  const tree = new ParameterTree(backbone.tensors);
  const random = createRandom(0, 'function change');
  const output = tf.tidy(() => {
    if (backbone.kind === 'vision') {
      const { imageSize } = backbone.config;
      const pixels = Float32Array.from({ length: BATCH * imageSize ** 2 * 3 }, () => 2 * random.uniform() - 1);
      return visionForward(tree, backbone.config, tf.tensor4d(pixels, [BATCH, imageSize, imageSize, 3])).normed;
    }
    const { vocabSize, seqLen } = backbone.config;
    const length = Math.min(seqLen, MOST_TOKENS);
    const ids = Int32Array.from({ length: BATCH * length }, () => random.integer(vocabSize));
    const { hidden } = languageHidden(tree, backbone.config, tf.tensor2d(ids, [BATCH, length], 'int32'));
    return languageLogits(tree, hidden);
  });
  try {
    return (await output.data()) as Float32Array;
  } finally {
    output.dispose();
    tree.dispose();
  }
}
