/**
 * A norm activation Θ of your own, in one file: define it, register it, train a model with it.
 *
 *   node dist/docs/examples/normActivation.js [engine]
 */
import { argv } from 'node:process';
import { type EngineChoice, selectEngine } from 'tokenfuse';
import {
  createLanguageParameters,
  LanguageConfig,
  languageHidden,
  type NormActivation,
  ParameterTree,
  registerNormActivation,
  summedTokenLoss,
  tf,
} from 'tokenfuse/plugins';

/** L2 norm of the scores, then squared ReLU: sparse weights, most of them exactly 0. */
export const l2NormRelu2: NormActivation = {
  name: 'l2NormRelu2', // the value of `normActivation` in configurations
  description: 'L2 norm of the scores, then squared ReLU',
  equation: 'Θ(A) = ReLU( τ A / (‖A‖₂ + ε) )²',
  source: 'squared ReLU: Primer, arXiv 2109.08668',
  // One row per token, [tokens, n]. TensorFlow.js finds the gradient; a closed form, `gradient`, would be faster.
  weights: (scores, { tau, epsilon }) => {
    const squares = tf.sum(tf.square(scores), -1, true); // [tokens, 1]
    const norm = tf.sqrt(tf.maximum(squares, 1e-30)); // a row of zeros: √0 has no finite gradient
    return tf.square(tf.relu(tf.mul(scores, tf.div(tau, tf.add(norm, epsilon))))); // [tokens, n]
  },
  tau: (n) => Math.sqrt(n), // of a new group of n tokens
  unionTau: (taus) => Math.hypot(...taus), // of several groups under one norm
  exactZeroKeys: true, // Θ(0) = 0, and zeros do not change the norm
};
registerNormActivation(l2NormRelu2);

const TEXT = 'a red disc left of a blue square';

/** Trains a small language TokenFormer with Θ to continue `TEXT`; the mean loss of each step, in nats a character. */
export async function train(steps: number, report: (line: string) => void): Promise<number[]> {
  const size = { dModel: 32, numLayers: 2, numHeads: 2, qkvParamTokens: 16, outputParamTokens: 16, ffnParamTokens: 32 };
  const stack = { ...size, normActivation: l2NormRelu2.name, rotaryShare: 0.5 };
  const config = LanguageConfig.parse({ vocabSize: 128, seqLen: TEXT.length, stack });
  const tree = new ParameterTree(createLanguageParameters(config, 1));
  const characters = Int32Array.from(TEXT, (character) => character.charCodeAt(0));
  const labels = characters.slice(1);
  const tokenIds = tf.tensor2d(characters.slice(0, -1), [1, labels.length], 'int32'); // [batch, seqLen]
  const optimizer = tf.train.adam(0.01);
  const losses: number[] = [];
  for (let step = 1; step <= steps; step++) {
    const loss = optimizer.minimize(() => {
      const { hidden } = languageHidden(tree, config, tokenIds); // [seqLen, dModel]
      return tf.div(summedTokenLoss(tree, hidden, labels), labels.length) as tf.Scalar;
    }, true) as tf.Scalar;
    losses.push((await loss.data())[0]);
    report(`step ${step}: loss ${losses[step - 1].toFixed(3)}`);
    loss.dispose();
  }
  for (const owner of [tokenIds, optimizer, tree]) owner.dispose();
  return losses;
}

if (import.meta.filename === argv[1]) {
  const { name, device } = await selectEngine((argv[2] ?? 'auto') as EngineChoice);
  console.log(`engine ${name} on ${device}`);
  await train(20, console.log);
}
