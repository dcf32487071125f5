import { join } from 'node:path';
import { expect, it } from 'vitest';
import {
  captionLogits,
  fusionMethods,
  growJointModel,
  grownReport,
  imageContexts,
  imageStates,
  JOINT_KIND,
  loadJointModel,
  MERGE_REPORT,
  mergedHashes,
  readMergeReport,
  unmerge,
} from '#fusion';
import { languageHidden, languageLogits, loadLanguageModel } from '#language';
import { tf } from '#src/engine';
import type { GrowthConfig } from '#src/stacks';
import { jsonText, sha256 } from '#src/storage';
import { readCheckpoint, readModel, writeCheckpoint } from '#src/training';
import { describeEachEngine } from '../engine/eachEngine.js';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { userErrorLine } from '../support/thrown.js';
import { writeTinyBackbones } from '../support/tinyBackbones.js';
import { mergeTiny, noisePixels, someTokenIds, stirFusion } from '../support/tinyJointModel.js';

/** Grows the merged model in `<folder>/merged`, and writes it to `<folder>/grown`. */
function growMerged(folder: string, backbone: 'vision' | 'language', growth: GrowthConfig): string {
  const merged = join(folder, 'merged');
  const { config, tensors, assets } = readModel(merged, JOINT_KIND);
  const grown = growJointModel({ config, tensors }, backbone, growth, 5);
  const report = grownReport(readMergeReport(merged), grown, tensors, { backbone, growth, seed: 5 });
  writeCheckpoint(join(folder, 'grown'), {
    model: { kind: 'fusion', config: grown.config },
    tensors: grown.tensors,
    assets: new Map([...assets, [MERGE_REPORT, Buffer.from(jsonText(report))]]),
  });
  return join(folder, 'grown');
}

/** Logits of captions beside images, with bridges as after an alignment; and of text alone. */
function outputsOf(path: string): { captions: Float32Array; text: Float32Array } {
  const model = loadJointModel(path);
  stirFusion(model, 0.1);
  const read = tf.tidy(() => {
    const states = imageStates(model, noisePixels(2));
    const contexts = imageContexts(model, states, { bridge: true });
    return [
      captionLogits(model, someTokenIds(2), { bridge: true, contexts }).logits.dataSync(),
      captionLogits(model, someTokenIds(2), { bridge: true }).logits.dataSync(),
    ] as Float32Array[];
  });
  model.dispose();
  return { captions: read[0], text: read[1] };
}

const largest = (a: Float32Array, b: Float32Array): number =>
  a.reduce((most, value, i) => Math.max(most, Math.abs(b[i] - value)), 0) /
  a.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

describeEachEngine('growth inside a merged model', () => {
  for (const { name: method } of fusionMethods()) {
    for (const backbone of ['vision', 'language'] as const) {
      const policies = method === 'union' ? (['preserve'] as const) : (['preserve', 'group'] as const);
      for (const policy of policies) {
        it(`keeps captions and text: ${method}, ${backbone}, ${policy}`, () => {
          const folder = temporaryFolder();
          writeTinyBackbones(folder);
          const before = outputsOf(mergeTiny(folder, { method }));
          const after = outputsOf(growMerged(folder, backbone, { policy, factor: 2 }));
          expect(largest(before.captions, after.captions)).toBeLessThan(2e-6);
          expect(largest(before.text, after.text)).toBeLessThan(2e-6);
        });
      }
    }
  }

  it('leaves text alone the grown language backbone, to the bit', () => {
    const folder = temporaryFolder();
    writeTinyBackbones(folder);
    mergeTiny(folder);
    const grown = growMerged(folder, 'language', { policy: 'group', factor: 2 });
    unmerge(grown, join(folder, 'v'), join(folder, 'l'));
    const model = loadLanguageModel(join(folder, 'l'));
    const logits = tf.tidy(() =>
      languageLogits(model.tree, languageHidden(model.tree, model.config, someTokenIds(2)).hidden).dataSync(),
    );
    model.dispose();
    expect(outputsOf(grown).text).toEqual(logits);
  });
});

it('records the growth: trained rows keep their hashes, unmerge gives the grown backbone and the other one', () => {
  const folder = temporaryFolder();
  writeTinyBackbones(folder);
  mergeTiny(folder);
  const original = mergedHashes(join(folder, 'merged'))!;
  const grown = growMerged(folder, 'language', { policy: 'preserve', factor: 2 });
  const report = readMergeReport(grown);
  const { tensors } = readCheckpoint(grown);
  expect(report.growths).toHaveLength(1);
  const [{ before }] = report.growths!;
  expect(before).toHaveLength(2 * 5 * 2); // keys and values of every layer
  for (const { name, rows, sha256: hash } of before) {
    const { shape, values } = tensors.get(name)!;
    const first = values.subarray(0, (values.length / shape[0]) * rows);
    expect(sha256(new Uint8Array(first.buffer, first.byteOffset, first.byteLength)), name).toBe(hash);
    expect(hash).toBe(original.get(name));
  }
  unmerge(grown, join(folder, 'v'), join(folder, 'l'));
  expect(readCheckpoint(join(folder, 'v')).tensors).toEqual(readCheckpoint(join(folder, 'vision')).tensors);
  const part = readCheckpoint(join(folder, 'l'));
  for (const [name, { values }] of part.tensors) expect(values).toEqual(tensors.get(name)!.values);
  expect(report.parameters.language).toBe(
    [...part.tensors].reduce((sum, [name, { values }]) => sum + (name.endsWith('/tau') ? 0 : values.length), 0),
  );
});

it('refuses blocks in a merged model, and a group of its own under one norm', () => {
  const folder = temporaryFolder();
  writeTinyBackbones(folder);
  mergeTiny(folder, { method: 'union' });
  const model = readModel(join(folder, 'merged'), JOINT_KIND);
  const grow = (growth: GrowthConfig) => () => growJointModel(model, 'vision', growth, 1);
  expect(userErrorLine(grow({ policy: 'preserve', layers: 1 }))).toContain('grow the backbone, then merge');
  expect(userErrorLine(grow({ policy: 'group', factor: 2 }))).toContain("under the fusion method 'union'");
});
