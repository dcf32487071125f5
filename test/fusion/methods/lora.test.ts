import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  attachBridge,
  captionLogits,
  captionLoss,
  describePlan,
  extractBridge,
  FusionConfig,
  type FusionInput,
  fusionMethods,
  fusionParameters,
  imageContexts,
  imageStates,
  type JointModel,
  loadJointModel,
  planMerge,
  unmerge,
} from '#fusion';
import { textBatch } from '#language';
import { tf } from '#src/engine';
import { findCheckpoint, readCheckpoint } from '#src/training';
import { describeEachEngine } from '../../engine/eachEngine.js';
import { relativeError } from '../../support/closeness.js';
import { temporaryFolder } from '../../support/temporaryFolder.js';
import { alignTiny } from '../../support/tinyAlign.js';
import { writeTinyBackbones } from '../../support/tinyBackbones.js';
import { writeTinyCaptions } from '../../support/tinyCaptions.js';
import {
  mergeTiny,
  noisePixels,
  someTokenIds,
  stirFusion,
  tinyJointModel,
  tinyRecipe,
} from '../../support/tinyJointModel.js';

const LORA = { rank: 2, backbones: ['vision', 'language'] } satisfies FusionInput['lora'];
const isLora = (name: string): boolean => name.includes('.fusionLora/');

function captionNumbers(model: JointModel, bridge: boolean): Float32Array {
  return tf.tidy(() => {
    const states = imageStates(model, noisePixels(2), { bridge });
    const contexts = imageContexts(model, states, { bridge });
    return captionLogits(model, someTokenIds(2), { bridge, contexts }).logits.dataSync() as Float32Array;
  });
}

function textNumbers(model: JointModel): Float32Array {
  return tf.tidy(() => captionLogits(model, someTokenIds(2), { bridge: true }).logits.dataSync()) as Float32Array;
}

function stateNumbers(model: JointModel, bridge: boolean): Float32Array {
  return tf.tidy(() => imageStates(model, noisePixels(2), { bridge }).dataSync()) as Float32Array;
}

describeEachEngine('LoRA on both backbones', () => {
  for (const { name: method } of fusionMethods().filter(({ changesBackbones }) => !changesBackbones)) {
    it(`starts silent, and however far it has moved the backbones alone are what they were: ${method}`, () => {
      const folder = temporaryFolder();
      const plain = tinyJointModel(folder, { method });
      const model = loadJointModel(mergeTiny(folder, { method, lora: LORA }, 'lora'));
      expect(relativeError(captionNumbers(model, true), captionNumbers(plain, true))).toBeLessThan(1e-5);
      stirFusion(model);
      expect(textNumbers(model)).toEqual(textNumbers(plain));
      expect(stateNumbers(model, false)).toEqual(stateNumbers(plain, true));
      expect(captionNumbers(model, false)).toEqual(captionNumbers(plain, false));
      expect(relativeError(stateNumbers(model, true), stateNumbers(plain, true))).toBeGreaterThan(1e-3);
      for (const each of [plain, model]) each.dispose();
    });

    it(`gives every parameter of it a gradient from captions: ${method}`, () => {
      const model = tinyJointModel(temporaryFolder(), { method, lora: LORA });
      stirFusion(model, 0.3);
      const names = model.tree.names().filter(isLora);
      expect(names).toHaveLength(2 * 2 * 5 * 2);
      const row = Int32Array.of(256, 3, 40, 99, 256);
      tf.tidy(() => {
        const { grads } = tf.variableGrads(
          () => {
            const contexts = imageContexts(model, imageStates(model, noisePixels(1)), { bridge: true }, true);
            return captionLoss(model, textBatch([row], 8, 256), contexts);
          },
          names.map((name) => model.tree.variable(name)),
        );
        const idle = names.filter((name) => !(tf.norm(grads[model.tree.variable(name).name]).dataSync()[0] > 0));
        expect(idle).toEqual([]);
      });
      model.dispose();
    });
  }
});

describeEachEngine('an alignment with LoRA', () => {
  it('trains it in both backbones, whose tensors stay and come out of it byte for byte', async () => {
    const folder = temporaryFolder();
    writeTinyBackbones(folder);
    await writeTinyCaptions(folder);
    mergeTiny(folder, { bridge: { tokens: 0 }, lora: LORA });
    const { runDir, backbonesKept, trainableParameters, lines } = await alignTiny(folder);
    expect(backbonesKept?.kept).toBe(backbonesKept?.total);
    // 2 stacks of 2 blocks of 5 layers, 2 · 8 keys and as many values each.
    expect(trainableParameters).toBe(2 * 2 * 5 * 2 * 2 * 8);
    expect(lines.join('\n')).toMatch(/vision\.fusionLora +320 +0/);
    const [before, after] = [join(folder, 'merged'), findCheckpoint(runDir, 'last')].map(
      (path) => readCheckpoint(path).tensors,
    );
    const still = [...before].filter(
      ([name, { values }]) => isLora(name) && values.every((v, i) => v === after.get(name)!.values[i]),
    );
    expect(still.map(([name]) => name).filter((name) => !name.endsWith('/tau'))).toEqual([]);

    const [vision, language] = ['vision-again', 'language-again'].map((name) => join(folder, name));
    unmerge(findCheckpoint(runDir), vision, language);
    for (const [name, out] of [
      ['vision', vision],
      ['language', language],
    ]) {
      const [first, again] = [join(folder, name), out].map((path) => readFileSync(join(path, 'model.safetensors')));
      expect(Buffer.compare(first, again), name).toBe(0);
    }
    const file = join(folder, 'lora.safetensors');
    await extractBridge(runDir, file, 'lora');
    const joined = join(folder, 'joined');
    await attachBridge(mergeTiny(folder, {}, 'other'), file, joined);
    expect(readCheckpoint(joined).tensors).toEqual(readCheckpoint(findCheckpoint(runDir)).tensors);
  });
});

describe('a recipe with LoRA', () => {
  it('has as many parameters as bridges of 32 tokens at rank 19, within 1 %', () => {
    const folder = temporaryFolder();
    writeTinyBackbones(folder);
    const [bridges, lora] = [{ bridge: { tokens: 32 } }, { bridge: { tokens: 0 }, lora: { rank: 19 } }].map(
      (fusion) => planMerge(tinyRecipe(fusion), folder).plan!,
    );
    expect(Math.abs(lora.parameters.fusion / bridges.parameters.fusion - 1)).toBeLessThan(0.011);
    expect(describePlan(lora).join('\n')).toContain('LoRA        rank 19 beside every layer: vision, language');
  });

  it('is refused where the method changes the backbones itself', () => {
    const { error } = FusionConfig.safeParse({ method: 'union', lora: LORA });
    expect(error?.issues[0]).toMatchObject({ path: ['lora'], message: expect.stringContaining("got 'union'") });
  });

  it('may name one backbone', () => {
    const model = tinyJointModel(temporaryFolder(), { lora: { rank: 2, backbones: ['language'] } });
    const names = model.tree.names().filter(isLora);
    expect(names.every((name) => name.includes('/language.fusionLora/') && fusionParameters(model.config)(name))).toBe(
      true,
    );
    expect(names).toHaveLength(2 * 5 * 2);
    model.dispose();
  });
});
