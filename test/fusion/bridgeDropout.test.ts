import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  bridgeDropout,
  captionHidden,
  captionLoss,
  imageContexts,
  imageStates,
  type JointModel,
  textBlocks,
} from '#fusion';
import { textBatch } from '#language';
import { tf } from '#src/engine';
import { readMetrics } from '#src/tracking';
import { findCheckpoint, readCheckpoint } from '#src/training';
import { fusedBlock } from '../../src/tokenformer/fusedBlock.js';
import { describeEachEngine } from '../engine/eachEngine.js';
import { relativeError } from '../support/closeness.js';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { alignTiny, tinyAlignment } from '../support/tinyAlign.js';
import { writeTinyBackbones } from '../support/tinyBackbones.js';
import { writeTinyCaptions } from '../support/tinyCaptions.js';
import { mergeTiny, noisePixels, someTokenIds, stirFusion, tinyJointModel } from '../support/tinyJointModel.js';

const BATCH = 3;

function stirredModel(): JointModel {
  const model = tinyJointModel(temporaryFolder());
  stirFusion(model);
  return model;
}

/** Final states of captions; with `byBlocks` from plain operations instead of whole blocks. [batch · seqLen · dModel] */
function hiddenOf(model: JointModel, index: number | undefined, byBlocks = false): Float32Array {
  const options = { bridge: true, ...(index !== undefined && { dropout: bridgeDropout(0.5, 7, index) }) };
  return tf.tidy(() => {
    const contexts = imageContexts(model, imageStates(model, noisePixels(BATCH)), options);
    const capture = byBlocks ? () => undefined : undefined;
    return captionHidden(model, someTokenIds(BATCH), {
      ...options,
      contexts,
      capture,
    }).hidden.dataSync() as Float32Array;
  });
}

describeEachEngine('bridgeDropout', () => {
  it('drops other tokens in every micro-batch, and the same ones again', () => {
    const model = stirredModel();
    const [none, first, again, second] = [undefined, 1, 1, 2].map((index) => hiddenOf(model, index));
    expect(again).toEqual(first);
    expect(relativeError(first, none)).toBeGreaterThan(1e-3);
    expect(relativeError(second, first)).toBeGreaterThan(1e-3);
    model.dispose();
  });

  it('has the same states in one operation a block, which it still takes, as in plain ones', () => {
    const model = stirredModel();
    expect(relativeError(hiddenOf(model, 1), hiddenOf(model, 1, true))).toBeLessThan(1e-5);
    tf.tidy(() => {
      const { stack } = model.config.language.backbone;
      const x = tf.ones<tf.Rank.R3>([1, 2, stack.dModel]);
      const fused = [{ bridge: true }, { bridge: true, dropout: bridgeDropout(0.5, 7, 1) }].map(
        (options) =>
          fusedBlock(x, textBlocks(model, true, options)[0], stack, { mask: { kind: 'causal' } }) !== undefined,
      );
      expect(fused[1]).toBe(fused[0]);
    });
    model.dispose();
  });

  it('gives no gradient to the values of dropped tokens, and those of the others count more', () => {
    const model = stirredModel();
    const name = 'block0/attention/query/textBridge/valueParamTokens';
    const values = model.tree.variable(name);
    const row = Int32Array.of(256, 3, 40, 99, 256);
    tf.tidy(() => {
      const dropout = bridgeDropout(0.5, 7, 1);
      const options = { bridge: true, dropout };
      const { grads } = tf.variableGrads(() => {
        const contexts = imageContexts(model, imageStates(model, noisePixels(BATCH)), options);
        return captionLoss(model, textBatch([row, row, row], 8, 256), contexts, undefined, options);
      }, [values]);
      const { valueParamTokens } = dropout(
        {
          name: 'textBridge',
          keyParamTokens: tf.ones([4, 8]),
          valueParamTokens: tf.ones([4, 8]),
          tau: 2,
          trainable: true,
        },
        'block0/attention/query/textBridge',
      );
      const factors = Array.from(tf.slice(valueParamTokens, [0, 0], [-1, 1]).dataSync());
      expect([...new Set(factors)].sort()).toEqual([0, 2]);
      const lengths = Array.from(tf.norm(grads[values.name], 2, 1).dataSync());
      expect(lengths.map((length) => length > 0)).toEqual(factors.map((factor) => factor > 0));
    });
    model.dispose();
  });
});

describe('bridgeDropout', () => {
  it('keeps the mean of every value over the micro-batches', () => {
    const ones = {
      name: 'g',
      keyParamTokens: tf.ones<tf.Rank.R2>([50, 1]),
      valueParamTokens: tf.ones<tf.Rank.R2>([50, 1]),
    };
    const draws = 200;
    let sum = 0;
    for (let index = 0; index < draws; index++) {
      tf.tidy(() => {
        const { valueParamTokens } = bridgeDropout(0.3, 1, index)({ ...ones, tau: 1, trainable: true }, 'path');
        sum += tf.sum(valueParamTokens).dataSync()[0];
      });
    }
    tf.dispose([ones.keyParamTokens, ones.valueParamTokens]);
    // 10,000 draws of 0 or 1/0.7: the mean has a standard deviation of 0.0065.
    expect(Math.abs(sum / (50 * draws) - 1)).toBeLessThan(0.03);
  });
});

describeEachEngine('an alignment with bridgeDropout', () => {
  it('trains the same parameters when blocks are computed again for their gradient', async () => {
    const folder = temporaryFolder();
    writeTinyBackbones(folder);
    await writeTinyCaptions(folder);
    mergeTiny(folder, { lora: { rank: 2, backbones: ['vision', 'language'] } });
    const models = [];
    for (const more of [{}, { recompute: true }]) {
      const training = { steps: 3, evaluateEvery: 3, checkpointEvery: 3, ...more };
      const { runDir } = await alignTiny(
        folder,
        tinyAlignment({ bridgeDropout: 0.5, training }),
        `align${models.length}`,
      );
      models.push(readCheckpoint(findCheckpoint(runDir)).tensors);
    }
    expect(models[1]).toEqual(models[0]);
  });

  it('trains otherwise, evaluates with all tokens, and ends with the same bytes when it is resumed', async () => {
    const folder = temporaryFolder();
    writeTinyBackbones(folder);
    await writeTinyCaptions(folder);
    mergeTiny(folder);
    const start = await alignTiny(folder, tinyAlignment({ training: { steps: 2, evaluateEvery: 2 } }), 'start');
    const from = { checkpoint: 'start', select: 'last' as const, optimizer: 'reset' as const };
    const [plain, dropped] = [undefined, 0.5].map((share) => tinyAlignment({ initFrom: from, bridgeDropout: share }));
    const [a, b] = [await alignTiny(folder, plain, 'plain'), await alignTiny(folder, dropped, 'dropped')];
    expect(start.steps).toBe(2);
    const at = (runDir: string, step: number, name: string): number =>
      readMetrics(runDir).find((entry) => entry.step === step && name in entry.values)!.values[name];
    expect(at(b.runDir, 0, 'validation/captionNll')).toBe(at(a.runDir, 0, 'validation/captionNll'));
    expect(at(b.runDir, 1, 'train/loss')).not.toBe(at(a.runDir, 1, 'train/loss'));

    let asked = 0;
    const signal = {
      get aborted(): boolean {
        asked++;
        return asked > 9;
      },
      reason: new Error('stopped by the test'),
    };
    await expect(alignTiny(folder, dropped, 'stopped', { signal })).rejects.toThrow('stopped by the test');
    const resumed = await alignTiny(folder, dropped, 'stopped', { resume: true });
    const [whole, parts] = [b, resumed].map(({ runDir }) =>
      readFileSync(join(findCheckpoint(runDir, 'last'), 'model.safetensors')),
    );
    expect(Buffer.compare(whole, parts)).toBe(0);
  });
});
