import { expect, it } from 'vitest';
import {
  BRIDGE_PARTS,
  captionLogits,
  captionLoss,
  captionLossAndHits,
  fusionParameters,
  imageContexts,
  imageStates,
  type JointModel,
} from '#fusion';
import { languageBlocks, languageLogits, textBatch } from '#language';
import { tf } from '#src/engine';
import {
  type AttentionContext,
  finalNorm,
  type KeyValueCache,
  pattentionLayer,
  readGroup,
  runStack,
} from '#src/tokenformer';
import { describeEachEngine } from '../engine/eachEngine.js';
import { relativeError } from '../support/closeness.js';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { noisePixels, someTokenIds, stirFusion, tinyJointModel } from '../support/tinyJointModel.js';

const BATCH = 3;

/** Logits of captions beside their images, [batch · seqLen · vocabSize]; `change` may alter what text reads. */
function logitsOf(
  model: JointModel,
  bridge: boolean,
  change: (contexts: AttentionContext[]) => AttentionContext[] = (contexts) => contexts,
): Float32Array {
  return tf.tidy(() => {
    const contexts = change(imageContexts(model, imageStates(model, noisePixels(BATCH)), { bridge }));
    return captionLogits(model, someTokenIds(BATCH), { bridge, contexts }).logits.dataSync() as Float32Array;
  });
}

/** Gradient of a caption loss for every parameter that is free to move. */
function gradients(model: JointModel): Map<string, Float32Array> {
  const row = Int32Array.of(256, 3, 40, 99, 256);
  const names = model.tree.trainableNames();
  const found = new Map<string, Float32Array>();
  tf.tidy(() => {
    const { grads } = tf.variableGrads(
      () => {
        const contexts = imageContexts(model, imageStates(model, noisePixels(BATCH)), { bridge: true });
        return captionLoss(model, textBatch([row, row, row], 8, 256), contexts);
      },
      names.map((name) => model.tree.variable(name)),
    );
    for (const name of names) {
      const gradient = grads[model.tree.variable(name).name];
      if (gradient != null) found.set(name, gradient.dataSync() as Float32Array);
    }
  });
  return found;
}

describeEachEngine('a joint model', (engine) => {
  for (const method of ['routed', 'grouped', 'union'] as const) {
    it(`starts as if it had no bridge and no gates, ${method}`, () => {
      const model = tinyJointModel(temporaryFolder(), { method });
      expect(logitsOf(model, true)).toEqual(logitsOf(model, false));
      stirFusion(model);
      expect(logitsOf(model, true)).not.toEqual(logitsOf(model, false));
      model.dispose();
    });
  }

  for (const method of ['routed', 'grouped'] as const) {
    it(`is with a closed image gate the language model to the bit, with an image too, ${method}`, () => {
      const model = tinyJointModel(temporaryFolder(), { method, imageGate: 'closed' });
      const alone = tf.tidy(
        () => captionLogits(model, someTokenIds(BATCH), { bridge: true }).logits.dataSync() as Float32Array,
      );
      expect(logitsOf(model, true)).toEqual(alone);
      expect(logitsOf(model, false)).toEqual(alone);
      stirFusion(model);
      expect(logitsOf(model, true)).not.toEqual(alone);
      expect(logitsOf(model, false)).toEqual(alone);
      model.dispose();
    });
  }

  it('counts the tokens of captions that are the likeliest, padding left out', () => {
    const model = tinyJointModel(temporaryFolder(), {});
    stirFusion(model);
    const rows = [Int32Array.of(256, 3, 40, 99, 256), Int32Array.of(256, 7, 256), Int32Array.of(256, 1, 2, 256)];
    tf.tidy(() => {
      const text = textBatch(rows, 8, 256);
      const contexts = imageContexts(model, imageStates(model, noisePixels(BATCH)), { bridge: true });
      const ids = tf.tensor2d(text.tokenIds, [BATCH, 8], 'int32');
      const { logits } = captionLogits(model, ids, { bridge: true, contexts });
      const likeliest = tf.argMax(logits, 1).dataSync();
      // Labels that the model gets right in two of its nine tokens, and in its padding.
      const labels = text.labels.map((label, t) => (label < 0 || (t !== 1 && t !== 9) ? label : likeliest[t]));
      const wrong = [...labels.keys()].filter((t) => labels[t] >= 0 && t !== 1 && t !== 9);
      const expected = 2 + wrong.filter((t) => labels[t] === likeliest[t]).length;
      const { loss, hits } = captionLossAndHits(model, { ...text, labels }, contexts);
      expect(hits.dataSync()[0]).toBe(expected);
      expect(loss.dataSync()).toEqual(captionLoss(model, { ...text, labels }, contexts).dataSync());
    });
    model.dispose();
  });

  it('has gradients for gates that are still closed, those of a difference quotient', () => {
    const model = tinyJointModel(temporaryFolder(), { imageGate: 'closed' });
    model.tree.setTrainable(fusionParameters(model.config));
    const row = Int32Array.of(256, 3, 40, 99, 256);
    const lossAt = (gate: tf.Variable, head: number, value: number): number =>
      tf.tidy(() => {
        gate.assign(tf.oneHot(tf.scalar(head, 'int32'), gate.size).mul(value) as tf.Tensor1D);
        const contexts = imageContexts(model, imageStates(model, noisePixels(BATCH)), { bridge: true });
        const loss = captionLoss(model, textBatch([row, row, row], 8, 256), contexts).dataSync()[0];
        gate.assign(tf.zeros([gate.size]));
        return loss;
      });
    const found = gradients(model);
    const gates = model.tree.names().filter((name) => name.endsWith('attention/imageGate'));
    expect(gates).toHaveLength(model.config.language.backbone.stack.numLayers);
    for (const name of gates) {
      const gate = model.tree.variable(name);
      const step = 0.02;
      const quotients = Float32Array.from(
        { length: gate.size },
        (_, head) => (lossAt(gate, head, step) - lossAt(gate, head, -step)) / (2 * step),
      );
      expect(found.get(name)!.every((value) => value !== 0)).toBe(true);
      expect(relativeError(found.get(name)!, quotients)).toBeLessThan(2e-2);
    }
    // Value groups of bridges are 0 and get a gradient, the image's behind the gate still none.
    expect(found.get('block0/attention/output/imageBridge/valueParamTokens')!.some((value) => value !== 0)).toBe(true);
    expect(found.get('block0/attention/value/imageBridge/valueParamTokens')!.every((value) => value === 0)).toBe(true);
    model.dispose();
  });

  it('is under crossAttention blind while its gates are 0', () => {
    const model = tinyJointModel(temporaryFolder(), { method: 'crossAttention' });
    const blind = logitsOf(model, true, () => []);
    expect(logitsOf(model, true)).toEqual(blind);
    expect(logitsOf(model, false)).toEqual(blind);
    stirFusion(model);
    expect(logitsOf(model, true)).not.toEqual(blind);
    expect(logitsOf(model, false)).toEqual(blind);
    model.dispose();
  });

  it('hears under prefix the image in front of the text, and is blind without its bridge', () => {
    const model = tinyJointModel(temporaryFolder(), { method: 'prefix' });
    const blind = logitsOf(model, true, () => []);
    expect(logitsOf(model, true)).not.toEqual(blind);
    expect(logitsOf(model, false)).toEqual(blind);
    model.dispose();
  });

  it('reads under prefix image tokens as the language backbone reads a text of those embeddings', () => {
    const model = tinyJointModel(temporaryFolder(), { method: 'prefix' });
    const { stack } = model.config.language.backbone;
    tf.tidy(() => {
      const states = imageStates(model, noisePixels(1)); // [1, 1, tokens, width]
      const group = readGroup(model.tree, 'prefix', 'imagePrefix');
      const h = tf.reshape(states, [-1, stack.dModel]) as tf.Tensor2D;
      const math = { normActivation: stack.normActivation, gelu: stack.gelu, normEpsilon: stack.normEpsilon };
      const prefix = tf.reshape(pattentionLayer(h, [{ group }], math), [1, -1, stack.dModel]);
      const table = model.tree.variable('language/tokenEmbedding');
      const text = tf.reshape(tf.gather(table, [256, 5, 9]), [1, 3, stack.dModel]);
      const whole = tf.concat([prefix, text], 1) as tf.Tensor3D;
      const { hidden } = runStack(whole, languageBlocks(model.tree, model.config.language.backbone), stack, {
        mask: { kind: 'causal' },
      });
      const flat = tf.reshape(tf.slice(hidden, [0, prefix.shape[1] as number, 0]), [3, stack.dModel]) as tf.Tensor2D;
      const expected = languageLogits(model.tree, finalNorm(flat, model.tree, 'language')).dataSync();
      const ids = tf.tensor2d([[256, 5, 9]], [1, 3], 'int32');
      const contexts = imageContexts(model, states, { bridge: true });
      const got = captionLogits(model, ids, { bridge: true, contexts }).logits.dataSync();
      // Measured: at most 1.3e-6, over cpu, wasm and native.
      expect(relativeError(got, expected)).toBeLessThan(1e-5);
    });
    model.dispose();
  });

  for (const method of ['crossAttention', 'prefix'] as const) {
    it(`gives the same logits token by token with a cache, ${method}`, () => {
      const model = tinyJointModel(temporaryFolder(), { method });
      stirFusion(model, 0.5);
      tf.tidy(() => {
        const contexts = imageContexts(model, imageStates(model, noisePixels(2)), { bridge: true });
        const ids = someTokenIds(2);
        const seqLen = ids.shape[1];
        const all = captionLogits(model, ids, { bridge: true, contexts }).logits;
        const perRow = tf.reshape(all, [2, seqLen, -1]);
        let caches: readonly KeyValueCache[] | undefined;
        let worst = 0;
        for (let t = 0; t < seqLen; t++) {
          const step = captionLogits(model, tf.slice(ids, [0, t], [2, 1]), {
            bridge: true,
            contexts,
            ...(caches ? { caches } : { keepCaches: true }),
          });
          caches = step.caches;
          const expected = tf.squeeze(tf.slice(perRow, [0, t, 0], [2, 1, -1]), [1]);
          worst = Math.max(worst, relativeError(step.logits.dataSync(), expected.dataSync()));
        }
        // Measured: at most 9.6e-7, over cpu, wasm and native.
        expect(worst).toBeLessThan(1e-5);
      });
      model.dispose();
    });
  }

  it('makes under union with recalibration nothing of the length of a backbone’s keys', () => {
    const logitsAt = (scale: number, recalibrate: boolean): Float32Array => {
      const model = tinyJointModel(temporaryFolder(), { method: 'union', recalibrate });
      for (const name of model.tree.names().filter((name) => name.endsWith('vision/keyParamTokens'))) {
        const scaled = tf.mul(model.tree.variable(name), scale);
        model.tree.variable(name).assign(scaled);
        scaled.dispose();
      }
      const logits = logitsOf(model, false);
      model.dispose();
      return logits;
    };
    // Measured: at most 1.3e-6, over cpu, wasm and native.
    expect(relativeError(logitsAt(7, true), logitsAt(1, true))).toBeLessThan(1e-5);
    expect(relativeError(logitsAt(7, false), logitsAt(1, false))).toBeGreaterThan(0.01);
  });

  it('takes linear bridge groups as maps without a norm: twice the values and keys, four times the effect', () => {
    const model = tinyJointModel(temporaryFolder(), { bridge: { tokens: 4, kind: 'linear', parts: ['imageKey'] } });
    stirFusion(model);
    const effect = (): Float32Array =>
      tf.tidy(() => {
        const states = imageStates(model, noisePixels(2));
        const keys = (bridge: boolean): tf.Tensor => imageContexts(model, states, { bridge })[0].keys;
        return tf.sub(keys(true), keys(false)).dataSync() as Float32Array;
      });
    const once = effect();
    for (const name of model.tree.names().filter((name) => /imageBridge.*Tokens$/.test(name))) {
      const doubled = tf.mul(model.tree.variable(name), 2);
      model.tree.variable(name).assign(doubled);
      doubled.dispose();
    }
    // Measured: at most 1.3e-6, over cpu, wasm and native.
    expect(
      relativeError(
        effect(),
        once.map((x) => 4 * x),
      ),
    ).toBeLessThan(1e-5);
    model.dispose();
  });

  for (const part of BRIDGE_PARTS) {
    it(`hears the bridge part ${part} once its values are not zero`, () => {
      const model = tinyJointModel(temporaryFolder(), { bridge: { tokens: 4, parts: [part] } });
      const before = logitsOf(model, true);
      stirFusion(model);
      expect(logitsOf(model, true)).not.toEqual(before);
      expect(logitsOf(model, false)).toEqual(before);
      model.dispose();
    });
  }

  it('is under grouped what it is under routed while its gates are 0', () => {
    const bridge = { tokens: 4, parts: ['textQuery' as const, 'imageValue' as const] };
    const routed = tinyJointModel(temporaryFolder(), { method: 'routed', bridge });
    const grouped = tinyJointModel(temporaryFolder(), { method: 'grouped', bridge });
    for (const model of [routed, grouped]) stirFusion(model);
    for (const name of grouped.tree.names().filter((name) => name.endsWith('Gate'))) {
      grouped.tree.variable(name).assign(tf.scalar(0));
    }
    const [actual, expected] = [grouped, routed].map((model) => logitsOf(model, true));
    // A card adds up all groups of a layer in one product, in another order with those that add nothing: 1.7e-7 measured.
    if (engine === 'cuda') expect(relativeError(actual, expected)).toBeLessThan(1e-6);
    else expect(actual).toEqual(expected);
    for (const model of [routed, grouped]) model.dispose();
  });

  it('feeds the image-output bridge nothing but what attention read of the image', () => {
    const model = tinyJointModel(temporaryFolder(), { bridge: { tokens: 4, parts: ['imageOutput'] } });
    stirFusion(model);
    const blank = (contexts: AttentionContext[]): AttentionContext[] =>
      contexts.map((context) => ({ ...context, values: tf.zerosLike(context.values) }));
    const withoutBridge = (contexts: AttentionContext[]): AttentionContext[] =>
      blank(contexts).map((context) => ({ ...context, outputGroups: [] }));
    expect(logitsOf(model, true, blank)).toEqual(logitsOf(model, true, withoutBridge));
    expect(logitsOf(model, true)).not.toEqual(logitsOf(model, true, blank));
    model.dispose();
  });

  it('reads through the image-value bridge where a patch is and not what it shows', () => {
    const model = tinyJointModel(temporaryFolder(), { bridge: { tokens: 4, parts: ['imageValue'] } });
    stirFusion(model);
    const bridged = (pixels: tf.Tensor4D): Float32Array => {
      const states = imageStates(model, pixels);
      const values = (bridge: boolean): tf.Tensor => imageContexts(model, states, { bridge })[0].values;
      return tf.sub(values(true), values(false)).dataSync() as Float32Array;
    };
    tf.tidy(() => {
      const noise = noisePixels(2);
      const [first, second] = tf.split(noise, 2) as tf.Tensor4D[];
      expect(relativeError(bridged(first), bridged(second))).toBeLessThan(1e-5);
      expect(Math.max(...bridged(first).map(Math.abs))).toBeGreaterThan(0.01);
    });
    model.dispose();
  });

  it('shows every caption its own image and no other', () => {
    const model = tinyJointModel(temporaryFolder());
    stirFusion(model);
    const alone = logitsOf(model, true);
    const swapped = logitsOf(model, true, (contexts) =>
      contexts.map(({ keys, values, outputGroups }) => {
        const swap = (t: tf.Tensor3D): tf.Tensor3D => tf.gather(t, tf.tensor1d([0, 2, 1], 'int32'));
        return { keys: swap(keys), values: swap(values), outputGroups };
      }),
    );
    const perCaption = alone.length / BATCH;
    expect(swapped.subarray(0, perCaption)).toEqual(alone.subarray(0, perCaption));
    expect(swapped.subarray(perCaption)).not.toEqual(alone.subarray(perCaption));
    model.dispose();
  });

  it('lets text see earlier text and no later text', () => {
    const model = tinyJointModel(temporaryFolder());
    stirFusion(model);
    const logits = (last: number): Float32Array =>
      tf.tidy(() => {
        const contexts = imageContexts(model, imageStates(model, noisePixels(1)), { bridge: true });
        const ids = tf.tensor2d([[256, 5, 9, last]], [1, 4], 'int32');
        return captionLogits(model, ids, { bridge: true, contexts }).logits.dataSync() as Float32Array;
      });
    const [one, other] = [logits(17), logits(80)];
    expect(other.subarray(0, (one.length * 3) / 4)).toEqual(one.subarray(0, (one.length * 3) / 4));
    expect(other).not.toEqual(one);
    model.dispose();
  });

  for (const fusion of [
    { method: 'routed' },
    { method: 'routed', imageGate: 'closed' },
    { method: 'grouped', imageGate: 'closed' },
    { method: 'grouped' },
    { method: 'crossAttention' },
    { method: 'prefix' },
  ] as const) {
    it(`has gradients for its bridge and gates and for nothing else when these alone are free, ${Object.values(fusion)}`, () => {
      const model = tinyJointModel(temporaryFolder(), fusion);
      stirFusion(model, 0.3);
      model.tree.setTrainable(fusionParameters(model.config));
      const found = gradients(model);
      expect([...found.keys()]).toEqual(model.tree.names().filter(fusionParameters(model.config)));
      // Every one of them moves: none is a parameter that does nothing.
      for (const [name, gradient] of found) {
        expect(
          gradient.some((x) => x !== 0),
          name,
        ).toBe(true);
        expect(gradient.every(Number.isFinite), name).toBe(true);
      }
      model.dispose();
    });
  }

  it('has the same bridge gradients whether or not the backbones are free', () => {
    const model = tinyJointModel(temporaryFolder());
    stirFusion(model, 0.3);
    model.tree.setTrainable(fusionParameters(model.config));
    const frozen = gradients(model);
    model.tree.setTrainable(() => true);
    const free = gradients(model);
    expect(free.size).toBeGreaterThan(frozen.size);
    for (const [name, gradient] of frozen) expect(relativeError(gradient, free.get(name)!)).toBeLessThan(1e-5);
    model.dispose();
  });

  it('gives both backbones gradients through the image when all are free', () => {
    const model = tinyJointModel(temporaryFolder());
    stirFusion(model, 0.3);
    model.tree.setTrainable(() => true);
    const { tree } = model;
    const row = Int32Array.of(256, 3, 40, 99, 256);
    tf.tidy(() => {
      const { grads } = tf.variableGrads(
        () => {
          const contexts = imageContexts(model, imageStates(model, noisePixels(1)), { bridge: true }, true);
          return captionLoss(model, textBatch([row], 8, 256), contexts);
        },
        tree.names().map((name) => tree.variable(name)),
      );
      // The vision backbone's own final norm is the one thing that text does not read.
      const idle = tree.names().filter((name) => grads[tree.variable(name).name] == null);
      expect(idle.sort()).toEqual(['vision/finalNorm/bias', 'vision/finalNorm/scale']);
    });
    model.dispose();
  });
});
