import { beforeAll, describe, expect, it } from 'vitest';
import {
  type CaptionPairs,
  captionLogits,
  createTokenWeights,
  type FusionInput,
  imageContexts,
  imageStates,
  type JointModel,
  loadJointModel,
  openCaptionPairs,
  pixelTensor,
} from '#fusion';
import { selectEngine, tf } from '#src/engine';
import { readMetrics } from '#src/tracking';
import { imitationsOf, initBridges } from '../../../fusion/alignment/initBridges.js';
import { ridgeRegression } from '../../../fusion/alignment/leastSquares.js';
import { groupPath, measureImitations } from '../../../fusion/alignment/measureImitations.js';
import type { StatesOf } from '../../../fusion/alignment/objectives/index.js';
import { describeEachEngine } from '../../engine/eachEngine.js';
import { relativeError } from '../../support/closeness.js';
import { temporaryFolder } from '../../support/temporaryFolder.js';
import { rejectedLine } from '../../support/thrown.js';
import { alignTiny, tinyAlignment } from '../../support/tinyAlign.js';
import { writeTinyBackbones } from '../../support/tinyBackbones.js';
import { writeTinyCaptions } from '../../support/tinyCaptions.js';
import { mergeTiny, noisePixels, someTokenIds } from '../../support/tinyJointModel.js';

interface Bed {
  readonly folder: string;
  readonly model: JointModel;
  readonly train: CaptionPairs;
  readonly statesOf: StatesOf;
  readonly close: () => void;
}

async function opened(fusion: FusionInput): Promise<Bed> {
  const folder = temporaryFolder();
  writeTinyBackbones(folder);
  await writeTinyCaptions(folder);
  const model = loadJointModel(mergeTiny(folder, fusion));
  const places = { seqLen: 32, cacheDir: `${folder}/cache`, root: folder };
  const source = { captions: 'captions.json' };
  const train = await openCaptionPairs(source, model.config.vision, model.tokenizer, createTokenWeights([]), places);
  const statesOf: StatesOf = (pairs, positions) => imageStates(model, pixelTensor(model, pairs, positions));
  const close = (): void => {
    train.close();
    model.dispose();
  };
  return { folder, model, train, statesOf, close };
}

const initialised = ({ model, train, statesOf }: Bed, ridge = 0.01) =>
  initBridges(model, train, statesOf, { ridge, batchSize: 5 });

function measured({ model, train, statesOf }: Bed) {
  const places = imitationsOf(model.config);
  return measureImitations({ model, places, train, statesOf, batchSize: 4, of: 'states' });
}

function logitsOf(model: JointModel): Float32Array {
  return tf.tidy(() => {
    const contexts = imageContexts(model, imageStates(model, noisePixels(2)), { bridge: true });
    return captionLogits(model, someTokenIds(2), { bridge: true, contexts }).logits.dataSync() as Float32Array;
  });
}

describeEachEngine('initBridges', () => {
  it.each<[string, FusionInput]>([
    ['routed', { positionValues: false, bridge: { tokens: 8, kind: 'linear' } }],
    ['prefix', { method: 'prefix', bridge: { tokens: 8, kind: 'linear' } }],
  ])('gives linear groups of full rank the ridge regression itself: %s', async (method, fusion) => {
    const bed = await opened({ method, ...fusion });
    const { groups } = await initialised(bed);
    const { tree } = bed.model;
    expect(groups).toBe(method === 'prefix' ? 1 : 4);
    const maps = new Map<string, Float32Array>();
    for (const path of imitationsOf(bed.model.config).map(groupPath)) {
      const [keys, values] = ['keyParamTokens', 'valueParamTokens'].map(
        (part) => tree.variable(`${path}/${part}`) as tf.Tensor as tf.Tensor2D,
      );
      maps.set(path, tf.tidy(() => tf.matMul(keys, values, true).dataSync()) as Float32Array);
      // Silent again, as when it was measured.
      tree.assign(new Map([[`${path}/valueParamTokens`, { shape: [8, 8], values: new Float32Array(64) }]]));
    }
    for (const { place, inputs, targets } of await measured(bed)) {
      const map = ridgeRegression(inputs, targets, 0.01);
      expect(relativeError(maps.get(groupPath(place))!, map.to1DArray()), place.path).toBeLessThan(1e-4);
    }
    bed.close();
  });

  it('leaves what a closed gate hides as it was, to the bit, and gives the gate something to open for', async () => {
    const bed = await opened({ imageGate: 'closed', positionValues: false, bridge: { tokens: 8 } });
    const before = logitsOf(bed.model);
    const valuesBefore = tf.tidy(() =>
      imageContexts(bed.model, imageStates(bed.model, noisePixels(2)), { bridge: true })[0].values.dataSync(),
    );
    await initialised(bed);
    expect(logitsOf(bed.model)).toEqual(before);
    const valuesAfter = tf.tidy(() =>
      imageContexts(bed.model, imageStates(bed.model, noisePixels(2)), { bridge: true })[0].values.dataSync(),
    );
    expect(relativeError(valuesAfter, valuesBefore)).toBeGreaterThan(0.01);
    bed.close();
  });

  it('fits keys alone where values read positions', async () => {
    const bed = await opened({ bridge: { tokens: 8 } });
    const { groups } = await initialised(bed);
    expect(groups).toBe(2);
    const name = (layer: string): string => `block0/attention/${layer}/imageBridge/valueParamTokens`;
    const [keys, values] = ['key', 'value'].map((layer) => bed.model.tree.variable(name(layer)).dataSync());
    expect([keys, values].map((written) => written.some((value) => value !== 0))).toEqual([true, false]);
    bed.close();
  });

  it('brings what text reads of images near to what their captions have there, under Θ too', async () => {
    const bed = await opened({ positionValues: false, bridge: { tokens: 8 } });
    const apart = async () => (await measured(bed)).map(({ targets }) => targets.norm() ** 2);
    const before = await apart();
    const { explained } = await initialised(bed, 1e-4);
    const after = await apart();
    for (const [i, distance] of after.entries()) expect(distance).toBeLessThan(0.1 * before[i]);
    expect(explained).toBeGreaterThan(0.5);
    expect(explained).toBeLessThanOrEqual(1);
    bed.close();
  });
});

describe('an alignment with initBridges', () => {
  beforeAll(async () => {
    await selectEngine('wasm');
  });

  it('starts at the language model behind closed gates, says what it fitted, and gives the same model again', async () => {
    const bed = await opened({ imageGate: 'closed', positionValues: false });
    bed.close();
    const plain = await alignTiny(bed.folder, tinyAlignment(), 'plain');
    const fitted = tinyAlignment({ initBridges: { ridge: 0.1 } });
    const [first, again] = [await alignTiny(bed.folder, fitted, 'first'), await alignTiny(bed.folder, fitted, 'again')];
    const metrics = ({ runDir }: { readonly runDir: string }) => readMetrics(runDir);
    expect(metrics(first)[0]).toEqual(metrics(plain)[0]);
    expect(metrics(first)).not.toEqual(metrics(plain));
    expect(metrics(again)).toEqual(metrics(first));
    expect(first.lines.join('\n')).toMatch(/4 bridge groups start from mean states of \d+ pairs/);
  });

  it('is refused where no bridge reads image states into text, and beside another start', async () => {
    const bed = await opened({ method: 'crossAttention' });
    bed.close();
    const refused = await rejectedLine(alignTiny(bed.folder, tinyAlignment({ initBridges: { ridge: 0.1 } })));
    expect(refused).toContain('initBridges: expected bridge groups that turn image states into what text reads');
    const { folder, close } = await opened({});
    close();
    await alignTiny(folder, tinyAlignment(), 'start');
    const initFrom = { checkpoint: 'start', select: 'best' as const, optimizer: 'reset' as const };
    const both = tinyAlignment({ initFrom, initBridges: { ridge: 0.1 } });
    expect(await rejectedLine(alignTiny(folder, both))).toContain('expected no initFrom beside it');
  });
});
