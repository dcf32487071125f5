import { join } from 'node:path';
import { expect, it } from 'vitest';
import { captionLogits, type FusionConfig, fusionMethods, imageStates, type JointModel, loadJointModel } from '#fusion';
import { languageHidden, languageLogits, loadLanguageModel } from '#language';
import { tf } from '#src/engine';
import { layerNormalize } from '#src/kernels';
import { ParameterTree } from '#src/tokenformer';
import { readCheckpoint } from '#src/training';
import { type VisionModelConfig, visionForward } from '#vision';
import { describeEachEngine } from '../engine/eachEngine.js';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { alignTiny } from '../support/tinyAlign.js';
import { writeTinyBackbones } from '../support/tinyBackbones.js';
import { writeTinyCaptions } from '../support/tinyCaptions.js';
import { mergeTiny, noisePixels, someTokenIds, stirFusion } from '../support/tinyJointModel.js';

/** Logits of text alone from the language checkpoint that went into the merge. */
function languageModelLogits(folder: string): Float32Array {
  const model = loadLanguageModel(join(folder, 'language'));
  const logits = tf.tidy(() =>
    languageLogits(model.tree, languageHidden(model.tree, model.config, someTokenIds(3)).hidden).dataSync(),
  );
  model.dispose();
  return logits as Float32Array;
}

function textOnlyLogits(model: JointModel): Float32Array {
  return tf.tidy(() => captionLogits(model, someTokenIds(3), { bridge: true }).logits.dataSync()) as Float32Array;
}

/** LN of every state of the vision checkpoint that went into the merge, as `imageStates` stacks them. */
function visionModelStates(folder: string, states: FusionConfig['imageStates']): Float32Array {
  const { model, tensors } = readCheckpoint(join(folder, 'vision'));
  const { backbone: vision } = model.config as VisionModelConfig;
  const tree = new ParameterTree(tensors);
  const values = tf.tidy(() => {
    const hidden: tf.Tensor3D[] = [];
    const capture = (name: string, compute: () => tf.Tensor): void => {
      if (name.startsWith('hidden.')) hidden.push(compute() as tf.Tensor3D);
    };
    visionForward(tree, vision, noisePixels(2), { capture });
    const wanted = states === 'last' ? hidden.slice(-1) : hidden.slice(0, -1);
    const normalised = wanted.map((h) => tf.reshape(layerNormalize(tf.reshape(h, [-1, h.shape[2]])), h.shape));
    return tf.stack(normalised, 1).dataSync();
  });
  tree.dispose();
  return values as Float32Array;
}

function mergedStates(model: JointModel): Float32Array {
  return tf.tidy(() => imageStates(model, noisePixels(2)).dataSync()) as Float32Array;
}

describeEachEngine('a merged model', () => {
  for (const { name: method, options } of fusionMethods().filter(({ changesBackbones }) => !changesBackbones)) {
    for (const reading of ['last', ...(options.includes('imageStates') ? ['perLayer' as const] : [])] as const) {
      it(`keeps both backbones to the bit, ${method}, image states ${reading}, before and after alignment`, async () => {
        const folder = temporaryFolder();
        writeTinyBackbones(folder);
        await writeTinyCaptions(folder);
        const logits = languageModelLogits(folder);
        const states = visionModelStates(folder, reading);
        const merged = mergeTiny(folder, { method, imageStates: reading });
        const { runDir } = await alignTiny(folder);
        for (const path of [merged, runDir]) {
          const model = loadJointModel(path);
          expect(textOnlyLogits(model)).toEqual(logits);
          expect(mergedStates(model)).toEqual(states);
          model.dispose();
        }
      });
    }

    it(`keeps both backbones to the bit however far its bridge has moved, ${method}`, () => {
      const folder = temporaryFolder();
      writeTinyBackbones(folder);
      const model = loadJointModel(mergeTiny(folder, { method }));
      stirFusion(model, 10);
      expect(textOnlyLogits(model)).toEqual(languageModelLogits(folder));
      expect(mergedStates(model)).toEqual(visionModelStates(folder, 'last'));
      model.dispose();
    });
  }

  it('keeps a vision backbone with a class token to the bit', () => {
    const folder = temporaryFolder();
    writeTinyBackbones(folder, { pooling: 'classToken' });
    const model = loadJointModel(mergeTiny(folder));
    expect(mergedStates(model)).toEqual(visionModelStates(folder, 'last'));
    model.dispose();
  });

  it('changes both backbones under union, as the method says', () => {
    const folder = temporaryFolder();
    writeTinyBackbones(folder);
    const model = loadJointModel(mergeTiny(folder, { method: 'union' }));
    expect(textOnlyLogits(model)).not.toEqual(languageModelLogits(folder));
    expect(mergedStates(model)).not.toEqual(visionModelStates(folder, 'last'));
    model.dispose();
  });
});
