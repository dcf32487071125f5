import { rmSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  attachJointGroup,
  captionLogits,
  fusionMethods,
  imageContexts,
  imageStates,
  type JointModel,
  loadJointModel,
  parseBackbonePrefix,
  usePrefix,
} from '#fusion';
import { LANGUAGE_KIND } from '#language';
import { tf } from '#src/engine';
import { prefixParameters, prefixStack } from '#src/tokenformer';
import { readModel, writeCheckpoint } from '#src/training';
import { VISION_KIND } from '#vision';
import { describeEachEngine } from '../engine/eachEngine.js';
import { relativeError } from '../support/closeness.js';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { writeTinyBackbones } from '../support/tinyBackbones.js';
import { writeTinyGroup } from '../support/tinyGroups.js';
import { mergeTiny, noisePixels, someTokenIds, stirFusion, tinyJointModel } from '../support/tinyJointModel.js';

describe('parseBackbonePrefix', () => {
  it('reads one amount for both backbones, or one for each that is named', () => {
    expect(parseBackbonePrefix('25%')).toEqual({ vision: { share: 0.25 }, language: { share: 0.25 } });
    expect(parseBackbonePrefix('language=64')).toEqual({ language: { count: 64 } });
    expect(parseBackbonePrefix('vision=25%,language=64')).toEqual({ vision: { share: 0.25 }, language: { count: 64 } });
  });

  it.each(['', '0%', 'vision', 'vision=', 'vision=0', 'vision=1=2', 'vision=1,vision=2', 'vision=1,', 'bridge=1'])(
    'refuses %j',
    (text) => {
      expect(parseBackbonePrefix(text)).toBeUndefined();
    },
  );

  it('takes any text without an error', () => {
    const words = fc.constantFrom('vision', 'language', '=', ',', '5', '%', '__proto__', ' ');
    fc.assert(
      fc.property(fc.array(words, { maxLength: 9 }), (parts) => {
        const prefix = parseBackbonePrefix(parts.join(''));
        if (prefix !== undefined) expect(Object.keys(prefix).length).toBeGreaterThan(0);
      }),
    );
  });
});

/** Logits of captions beside images, and of text alone. */
function logits(model: JointModel): { captions: Float32Array; text: Float32Array } {
  return tf.tidy(() => {
    const contexts = imageContexts(model, imageStates(model, noisePixels(2)), { bridge: true });
    const of = (options: Parameters<typeof captionLogits>[2]): Float32Array =>
      captionLogits(model, someTokenIds(2), options).logits.dataSync() as Float32Array;
    return { captions: of({ bridge: true, contexts }), text: of({ bridge: true }) };
  });
}

/** Writes the prefixes of both tiny backbones in place of the whole ones. */
function shrinkBackbones(folder: string): void {
  const amounts = { vision: { share: 0.5 }, language: { count: 3 } };
  for (const name of ['vision', 'language'] as const) {
    const directory = join(folder, name);
    const { config, tensors, assets } =
      name === 'vision' ? readModel(directory, VISION_KIND) : readModel(directory, LANGUAGE_KIND);
    const stack = prefixStack(config.backbone.stack, amounts[name]);
    rmSync(directory, { recursive: true });
    writeCheckpoint(directory, {
      model: { kind: name, config: { ...config, backbone: { ...config.backbone, stack } } },
      tensors: prefixParameters(tensors, stack, name),
      assets,
    });
  }
}

describeEachEngine('a merged model with prefixes', () => {
  for (const { name: method } of fusionMethods()) {
    it(`is the merge of the smaller backbones with the same bridges, to the bit: ${method}`, async () => {
      const [folder, small] = [temporaryFolder(), temporaryFolder()];
      const whole = tinyJointModel(folder, { method });
      writeTinyBackbones(small);
      shrinkBackbones(small);
      const merged = loadJointModel(mergeTiny(small, { method }));
      for (const model of [whole, merged]) stirFusion(model);
      const before = logits(whole);
      const expected = logits(merged);
      const model = await usePrefix(whole, { vision: { share: 0.5 }, language: { count: 3 } });
      expect(model.tree.shapes()).toEqual(merged.tree.shapes());
      expect(model.config).toEqual(merged.config);
      expect(logits(model)).toEqual(expected);
      expect(relativeError(expected.captions, before.captions)).toBeGreaterThan(1e-3);
      model.dispose();
      merged.dispose();
    });
  }

  it('of one backbone leaves the other one whole', async () => {
    const whole = tinyJointModel(temporaryFolder());
    stirFusion(whole);
    const before = logits(whole);
    const model = await usePrefix(whole, { vision: { share: 0.5 } });
    const after = logits(model);
    expect(after.text).toEqual(before.text);
    expect(after.captions).not.toEqual(before.captions);
    model.dispose();
  });

  it('keeps attached groups whole', async () => {
    const folder = temporaryFolder();
    const group = writeTinyGroup(tinyFolder(folder), 'language', { name: 'verse', ffn: 7 });
    const model = await usePrefix(await attachJointGroup(loadJointModel(join(folder, 'merged')), group), {
      language: { share: 0.5 },
    });
    const rows = (name: string): number => model.tree.variable(`block0/ffn/${name}/keyParamTokens`).shape[0];
    expect([rows('language.verse'), rows('language'), rows('vision')]).toEqual([7, 5, 10]);
    expect(logits(model).text.every(Number.isFinite)).toBe(true);
    model.dispose();
  });
});

/** The folder, with a merged model in it. */
function tinyFolder(folder: string): string {
  tinyJointModel(folder).dispose();
  return folder;
}
