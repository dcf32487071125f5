import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { tf } from '#src/engine';
import { openStack } from '#src/stacks';
import { type AttentionMask, type KeyValueCache, ParameterTree } from '#src/tokenformer';
import { createTransformer, TransformerConfig, WEIGHT_NAMES, weightPath } from '#src/transformer';
import { describeEachEngine } from '../engine/eachEngine.js';
import { relativeError } from '../support/closeness.js';
import { randomValues } from '../support/randomValues.js';

/** What test/fixtures/makeTransformerFixture.py wrote. */
interface PytorchCase {
  readonly mask: 'causal' | 'full';
  readonly gelu: 'erf' | 'tanh';
  readonly rotaryShare: number;
  readonly hidden: readonly number[];
  readonly dX: readonly number[];
  readonly gradients: readonly Record<(typeof WEIGHT_NAMES)[number], readonly number[]>[];
}
const PYTORCH: readonly PytorchCase[] = JSON.parse(
  readFileSync(new URL('../fixtures/transformer/pytorch.json', import.meta.url), 'utf8'),
);

const GROUP = 'language';
const [BATCH, SEQ_LEN, D_MODEL] = [2, 5, 8];
const COUNT = BATCH * SEQ_LEN * D_MODEL;

function configOf(given: object = {}): TransformerConfig {
  const size = { kind: 'transformer', dModel: D_MODEL, numLayers: 2, numHeads: 2, mlpHidden: 12 };
  return TransformerConfig.parse({ ...size, rotaryShare: 0.5, ...given });
}

/** The formula of the fixture. */
const wave = (count: number, phase: number, size: number): Float32Array =>
  Float32Array.from({ length: count }, (_, i) => size * Math.sin(1.7 * i * i + phase));

function waveTree(config: TransformerConfig): ParameterTree {
  const tensors = createTransformer(GROUP, config, 0);
  for (let l = 0; l < config.numLayers; l++) {
    for (const [i, name] of WEIGHT_NAMES.entries()) {
      const path = weightPath(l, name, GROUP);
      const { shape } = tensors.get(path)!;
      tensors.set(path, { shape, values: wave(shape[0] * shape[1], 10 * l + i, 0.5) });
    }
  }
  return new ParameterTree(tensors);
}

const states = (values: Float32Array, seqLen = SEQ_LEN): tf.Tensor3D => tf.tensor3d(values, [BATCH, seqLen, D_MODEL]);

describeEachEngine('standard Transformer blocks', () => {
  it.each(PYTORCH)('have the states and gradients of PyTorch: $mask, $gelu, rotary $rotaryShare', (expected) => {
    const config = configOf({ gelu: expected.gelu, rotaryShare: expected.rotaryShare });
    const tree = waveTree(config);
    const x = tf.variable(states(wave(COUNT, 0.3, 1)));
    const weights = states(wave(COUNT, 0.7, 1));
    const names = [0, 1].flatMap((l) => WEIGHT_NAMES.map((name) => weightPath(l, name, GROUP)));
    const variables = [x, ...names.map((name) => tree.variable(name))];
    let hidden: ArrayLike<number> = [];
    const { value, grads } = tf.variableGrads(() => {
      const run = openStack(tree, config, GROUP);
      const result = run(x as tf.Tensor as tf.Tensor3D, { mask: { kind: expected.mask } }).hidden;
      hidden = result.dataSync();
      return tf.sum(tf.mul(result, weights)) as tf.Scalar;
    }, variables);
    const gradients = expected.gradients.flatMap((layer) => WEIGHT_NAMES.map((name) => layer[name]));
    // Measured 6e-7 at most for states, 2e-6 for gradients.
    expect(relativeError(hidden, expected.hidden)).toBeLessThan(5e-6);
    for (const [i, reference] of [expected.dX, ...gradients].entries()) {
      expect(relativeError(grads[variables[i].name].dataSync(), reference), ['x', ...names][i]).toBeLessThan(1e-5);
    }
    tf.dispose([value, weights, x, ...Object.values(grads)]);
    tree.dispose();
  });

  it('give no token anything of later ones', () => {
    const config = configOf();
    const tree = waveTree(config);
    const values = randomValues(COUNT, 'causality');
    const changed = Float32Array.from(values, (value, i) => (Math.floor(i / D_MODEL) % SEQ_LEN < 3 ? value : -value));
    const firstThree = (from: Float32Array, mask: AttentionMask): Float32Array =>
      tf.tidy(
        () =>
          openStack(
            tree,
            config,
            GROUP,
          )(states(from), { mask })
            .hidden.slice([0, 0, 0], [-1, 3, -1])
            .dataSync() as Float32Array,
      );
    expect(firstThree(changed, { kind: 'causal' })).toEqual(firstThree(values, { kind: 'causal' }));
    expect(relativeError(firstThree(changed, { kind: 'full' }), firstThree(values, { kind: 'full' }))).toBeGreaterThan(
      0.01,
    );
    tree.dispose();
  });

  it('decode token by token with caches what one pass gives', () => {
    const config = configOf();
    const tree = waveTree(config);
    tf.tidy(() => {
      const run = openStack(tree, config, GROUP);
      const x = states(Float32Array.from(randomValues(COUNT, 'decode')));
      const whole = run(x, { mask: { kind: 'causal' } }).hidden;
      const parts: tf.Tensor3D[] = [];
      let caches: KeyValueCache[] | undefined;
      for (const [from, length] of [
        [0, 2],
        [2, 1],
        [3, 1],
        [4, 1],
      ]) {
        const part = run(tf.slice(x, [0, from, 0], [-1, length, -1]), {
          mask: { kind: 'causal' },
          caches,
          keepCaches: true,
        });
        parts.push(part.hidden);
        caches = part.caches;
      }
      // Measured 3e-7.
      expect(relativeError(tf.concat(parts, 1).dataSync(), whole.dataSync())).toBeLessThan(2e-6);
      expect(caches!.map(({ length }) => length)).toEqual([SEQ_LEN, SEQ_LEN]);
    });
    tree.dispose();
  });

  it('leave out keys of padding, name their intermediates, and refuse what they cannot read', () => {
    const config = configOf();
    const tree = waveTree(config);
    tf.tidy(() => {
      const run = openStack(tree, config, GROUP);
      const values = randomValues(COUNT, 'padding');
      const keyMask = tf.tensor2d([
        [1, 1, 1, 0, 0],
        [1, 1, 1, 0, 0],
      ]);
      const names: string[] = [];
      const capture = (name: string): void => void names.push(name);
      const masked = run(states(Float32Array.from(values)), { mask: { kind: 'full' }, keyMask, capture }).hidden;
      const short = tf.slice(states(Float32Array.from(values)), [0, 0, 0], [-1, 3, -1]);
      const alone = run(short, { mask: { kind: 'full' } }).hidden;
      // Measured 2e-7.
      expect(relativeError(masked.slice([0, 0, 0], [-1, 3, -1]).dataSync(), alone.dataSync())).toBeLessThan(2e-6);
      const inBlock = ['query', 'key', 'value', 'probabilities', 'output'].map((name) => `attention/${name}`);
      expect(names).toEqual([
        'hidden.0',
        ...[0, 1].flatMap((l) => [...inBlock.map((name) => `block${l}/${name}`), `block${l}/mlp`, `hidden.${l + 1}`]),
      ]);
      const context = { keys: short, values: short, outputGroups: [] };
      expect(() => run(short, { mask: { kind: 'causal' }, contexts: [context, context] })).toThrow(
        'expected no contexts, got 2',
      );
      expect(() => run(short, { mask: { kind: 'causal' }, caches: [] })).toThrow('a cache for each of 2 blocks, got 0');
    });
    tree.dispose();
  });
});
