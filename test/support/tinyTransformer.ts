import { join } from 'node:path';
import { type AnyLanguageConfig, createLanguageParameters, languageHidden, tokenLosses } from '#language';
import { tf } from '#src/engine';
import type { HostTensor } from '#src/storage';
import { ParameterTree } from '#src/tokenformer';
import { writeCheckpoint } from '#src/training';
import { TransformerConfig } from '#src/transformer';

/** A language Transformer of a few hundred parameters, with rotary positions on half of each head. */
export function tinyTransformerConfig(given: object = {}): AnyLanguageConfig & { readonly stack: TransformerConfig } {
  const stack = { kind: 'transformer', dModel: 8, numLayers: 2, numHeads: 2, mlpHidden: 12, rotaryShare: 0.5 };
  return { vocabSize: 11, seqLen: 8, stack: TransformerConfig.parse({ ...stack, ...given }) };
}

/** New parameters, far larger than at the start of training, and a final norm that is not the identity. */
export function tinyTransformerTensors(config: AnyLanguageConfig): Map<string, HostTensor> {
  return new Map(
    [...createLanguageParameters(config, 3)].map(([name, { shape, values }]) => [
      name,
      {
        shape,
        values: Float32Array.from(values, (value, i) =>
          name.includes('finalNorm') ? value + 0.3 * Math.sin(i + 1) : 15 * value,
        ),
      },
    ]),
  );
}

/** Losses of two fixed sequences, [16], and the gradient of their sum by parameter. */
export function tinyLosses(
  tensors: ReadonlyMap<string, HostTensor>,
  config: AnyLanguageConfig,
): { losses: Float32Array; gradients: Map<string, HostTensor> } {
  const tree = new ParameterTree(tensors);
  const ids = Array.from({ length: 16 }, (_, i) => (3 * i * i + 2) % config.vocabSize);
  const names = tree.names();
  const variables = names.map((name) => tree.variable(name));
  let losses = new Float32Array();
  const { value, grads } = tf.variableGrads(() => {
    const { hidden } = languageHidden(tree, config, tf.tensor2d(ids, [2, 8], 'int32'));
    const labels = Int32Array.from(ids, (id) => (id + 4) % config.vocabSize);
    const each = tokenLosses(tree, hidden, labels);
    losses = Float32Array.from(each.dataSync());
    return tf.sum(each);
  }, variables);
  const gradients = new Map(
    names.map((name, i) => {
      const gradient = grads[variables[i].name];
      return [name, { shape: gradient.shape, values: Float32Array.from(gradient.dataSync()) }];
    }),
  );
  tf.dispose([value, ...Object.values(grads)]);
  tree.dispose();
  return { losses, gradients };
}

/** Writes the tiny Transformer as the checkpoint `<folder>/transformer`. */
export function writeTinyTransformer(folder: string): void {
  const config = tinyTransformerConfig();
  writeCheckpoint(join(folder, 'transformer'), {
    model: {
      kind: 'language',
      config: { backbone: config, tokenizer: { kind: 'tiktoken', encoding: 'gpt2' }, tokenizerFingerprint: 'none' },
    },
    tensors: tinyTransformerTensors(config),
    assets: new Map(),
  });
}
